"""The wall clock as text, in the forms that logs want.

Names of months are ours: strftime's %b follows the application's locale.  Each
second is formatted once: nearly always a line is of the same one as the last.
"""

import time
from functools import lru_cache

MONTHS = [
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
]


def format_rfc3339(now: float) -> str:
    """Return UTC with milliseconds: 2026-11-22T10:17:03.123Z (RFC 3339, 5.6)."""
    second, millisecond = divmod(round(now * 1000), 1000)
    return f"{_utc(second)}.{millisecond:03}Z"


@lru_cache(maxsize=4)
def _utc(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=4)
def format_common_log(second: int) -> str:
    """Return local time as web servers log it: [22/Nov/2026:10:17:03 +0000]."""
    local = time.localtime(second)
    day = f"{local.tm_mday:02}/{MONTHS[local.tm_mon - 1]}/{local.tm_year}"
    offset = local.tm_gmtoff // 60  # minutes; whole ones, as all zones today
    sign = "-" if offset < 0 else "+"
    hours, minutes = divmod(abs(offset), 60)
    return f"[{day}:{_clock(local)} {sign}{hours:02}{minutes:02}]"


@lru_cache(maxsize=4)
def format_syslog(second: int) -> str:
    """Return local time as syslog expects it: Nov  2 10:17:03 (RFC 3164, 4.1.2)."""
    local = time.localtime(second)
    # RFC 3164: "If the day of the month is less than 10, then it MUST be
    # represented as a space and then the number."
    return f"{MONTHS[local.tm_mon - 1]} {local.tm_mday:2} {_clock(local)}"


def _clock(local: time.struct_time) -> str:
    return f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}"

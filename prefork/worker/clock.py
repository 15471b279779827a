"""The Date header's text, made once a second."""

import time

from prefork.monitor.times import MONTHS

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class DateText:
    """The current time as IMF-fixdate (RFC 9110 5.6.7)."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._text = format_date(second)
        return self._text


def format_date(second: int) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`; not strftime, which follows the locale."""
    year, month, day, hour, minute, sec, weekday, _, _ = time.gmtime(second)
    return (
        f"{DAYS[weekday]}, {day:02} {MONTHS[month - 1]} {year:04} "
        f"{hour:02}:{minute:02}:{sec:02} GMT"
    )

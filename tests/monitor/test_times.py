"""Each form of the wall clock, in a zone of the test's choice."""

import time
from collections.abc import Callable, Iterator

import pytest

from prefork.monitor.times import format_common_log, format_rfc3339, format_syslog

NOW = 1795342623  # 2026-11-22 10:17:03 UTC


@pytest.fixture
def set_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_zone(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        format_common_log.cache_clear()
        format_syslog.cache_clear()

    yield set_zone
    monkeypatch.undo()
    time.tzset()
    format_common_log.cache_clear()
    format_syslog.cache_clear()


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (NOW, "2026-11-22T10:17:03.000Z"),
        (NOW + 0.123, "2026-11-22T10:17:03.123Z"),
        (NOW + 0.9996, "2026-11-22T10:17:04.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_rfc_3339_is_utc_with_milliseconds(now: float, text: str) -> None:
    assert format_rfc3339(now) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC0", "[22/Nov/2026:10:17:03 +0000]"),
        ("IST-5:30", "[22/Nov/2026:15:47:03 +0530]"),
        ("NST3:30", "[22/Nov/2026:06:47:03 -0330]"),
        ("AOE12", "[21/Nov/2026:22:17:03 -1200]"),
    ],
)
def test_the_common_log_has_local_time(
    set_zone: Callable[[str], None], zone: str, text: str
) -> None:
    set_zone(zone)
    assert format_common_log(NOW) == text


def test_syslog_pads_the_day_with_a_space(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC0")
    assert format_syslog(NOW) == "Nov 22 10:17:03"
    assert format_syslog(NOW - 20 * 86400) == "Nov  2 10:17:03"

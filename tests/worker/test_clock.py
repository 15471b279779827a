"""prefork.worker.clock: the Date header."""

import locale
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.worker.clock import DateText, format_date


def test_is_an_imf_fixdate() -> None:
    """The example of RFC 9110 5.6.7."""
    assert format_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, 253402300799))
def test_agrees_with_the_standard_library(second: int) -> None:
    assert format_date(second) == formatdate(second, usegmt=True)


def test_does_not_follow_the_locale() -> None:
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, "de_DE.UTF-8")
    except locale.Error:
        pytest.skip("no other locale on this machine")
    try:
        assert format_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_is_made_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 784111777.0
    monkeypatch.setattr(time, "time", lambda: now)
    date = DateText()
    text = date()
    assert text == format_date(784111777)
    now += 0.9
    assert date() is text
    now += 0.2
    assert date() == format_date(784111778)


def test_follows_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behaviour 51."""
    now = 784111777.0
    monkeypatch.setattr(time, "time", lambda: now)
    date = DateText()
    date()
    now -= 86400
    assert date() == "Sat, 05 Nov 1994 08:49:37 GMT"

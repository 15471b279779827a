"""Activation: which descriptors are ours, and what is spoken on them."""

import os
from collections.abc import Iterator

import pytest

from prefork.errors import ConfigError, SystemRefusal
from prefork.system import activation
from prefork.system.activation import (
    Passed,
    choose_protocol,
    parse_protocols,
    take_passed,
)

US = str(os.getpid())


@pytest.fixture(autouse=True)
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Two descriptors that were passed: not 3 and 4, which others have here."""
    fds = [900, 901]
    for fd in fds:
        os.dup2(0, fd, inheritable=True)
    monkeypatch.setattr(activation, "FIRST", fds[0])
    yield fds[0]
    for fd in fds:
        os.close(fd)


def test_takes_what_was_passed_to_us(first: int) -> None:
    environ = {"LISTEN_PID": US, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:admin"}
    passed = take_passed(environ)
    assert passed == [Passed("http", first), Passed("admin", first + 1)]
    assert not os.get_inheritable(first)


def test_removes_the_variables() -> None:
    environ = {"LISTEN_PID": US, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "HOME": "/"}
    take_passed(environ)
    assert environ == {"HOME": "/"}


def test_names_may_be_missing(first: int) -> None:
    """As of systemd before 227, and of others who speak this protocol."""
    passed = take_passed({"LISTEN_PID": US, "LISTEN_FDS": "1"})
    assert passed == [Passed("", first)]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": US, "LISTEN_FDS": "-1"},
        {"LISTEN_PID": US},
    ],
)
def test_what_is_for_others_is_not_touched(environ: dict[str, str], first: int) -> None:
    assert take_passed(environ) == []
    assert environ == {}
    assert os.get_inheritable(first)


def test_a_promise_of_more_than_there_is_is_refused() -> None:
    with pytest.raises(SystemRefusal, match=r"descriptor 902, which is not open"):
        take_passed({"LISTEN_PID": US, "LISTEN_FDS": "3"})


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("http", "http"),
        ("fastcgi", "fastcgi"),
        ("prefork.socket", "scgi"),
        ("", "scgi"),
        ("unknown", "scgi"),
        ("back", "uwsgi"),
        ("ajp", "auto"),
    ],
)
def test_the_name_says_the_protocol(name: str, protocol: str) -> None:
    given = {"back": "uwsgi", "ajp": "auto"}
    assert choose_protocol(name, given, default="scgi") == protocol


def test_a_name_that_says_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'fastgci'.*--socket-protocol fastgci=http"):
        choose_protocol("fastgci", {})


def test_only_protocols_that_there_are_can_be_given() -> None:
    assert parse_protocols(["a=http", "b=ajp"]) == {"a": "http", "b": "ajp"}
    with pytest.raises(ConfigError, match="unknown protocol 'gopher'"):
        parse_protocols(["a=gopher"])

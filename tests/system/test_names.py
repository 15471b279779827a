"""prefork.system.names: what the hosts of addresses mean."""

import socket
import threading
from collections.abc import Iterator

import pytest

from prefork.errors import SystemRefusal
from prefork.system.listen import close, open_listener
from prefork.system.names import look_up, understand

NUMBERS = [
    "127.0.0.1:80",
    "[::1]:80",
    "8000",
    "unix:/run/app.sock",
    "unix:@a",
    "fd://3",
]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A name server that knows these, and is silent about `silent.test`."""
    known: dict[str, str] = {}
    is_over = threading.Event()
    really = socket.getaddrinfo

    def getaddrinfo(
        host: str, *more: object, flags: int = 0, **named: object
    ) -> object:
        if flags & socket.AI_NUMERICHOST:
            return really(host, *more, flags=flags, **named)  # type: ignore
        if host == "silent.test":
            is_over.wait()
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return really(known[host], *more, flags=flags, **named)  # type: ignore

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield known
    is_over.set()


def test_only_names_are_looked_up(answers: dict[str, str]) -> None:
    answers["app.test"] = "127.0.0.1"
    assert look_up(NUMBERS) == ()
    assert look_up([*NUMBERS, "app.test:1", "App.test:2"]) == ("app.test=127.0.0.1",)


def test_a_name_that_means_nothing_is_none_of_an_error_yet(
    answers: dict[str, str],
) -> None:
    found = look_up(["no.test:80"])
    assert found == ("no.test=Name or service not known",)
    [address] = understand(["no.test:80"], found)
    with pytest.raises(SystemRefusal, match=r"resolve no\.test: Name or service not"):
        open_listener(address)


def test_a_silent_name_server_is_waited_for_so_long_and_no_longer(
    answers: dict[str, str],
) -> None:
    answers["app.test"] = "127.0.0.1"
    found = look_up(["silent.test:80", "app.test:80"], patience=0.5)
    assert found == ("silent.test=no answer in 0.5 s", "app.test=127.0.0.1")


def test_what_was_found_is_not_asked_for_again(answers: dict[str, str]) -> None:
    [address] = understand(["silent.test:0"], ["silent.test=127.0.0.1"])
    listener = open_listener(address)
    assert listener.name.startswith("127.0.0.1:")
    close(listener)


def test_what_a_name_means_does_not_make_another_address() -> None:
    [one] = understand(["app.test:80"], ["app.test=192.0.2.1"])
    [two] = understand(["app.test:80"], [])
    assert one == two and hash(one) == hash(two)


def test_a_zone_that_cannot_be_encoded_is_refused_in_words() -> None:
    [address] = understand(["[fe80::1%a..b]:80"], look_up(["[fe80::1%a..b]:80"]))
    with pytest.raises(SystemRefusal, match="cannot resolve"):
        open_listener(address)

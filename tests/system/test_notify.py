"""Notifications: sent to whom the variable names, at once or not at all."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.notify_socket import NotifySocket

from prefork.system.notify import Notifier, take_notifier


@pytest.fixture(params=["file", "@prefork-test-notify-"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """Listens on a file, or on an abstract name."""
    name = request.param
    listening = NotifySocket(
        f"{name}{os.getpid()}" if name.startswith("@") else tmp_path / name
    )
    yield listening
    listening.close()


def test_sends_lines_in_one_message(listening: NotifySocket) -> None:
    notifier = Notifier(listening.address)
    assert notifier.send("RELOADING=1", "MONOTONIC_USEC=5")
    assert listening.told() == ["RELOADING=1\nMONOTONIC_USEC=5"]
    notifier.close()


def test_sends_descriptors_along(listening: NotifySocket) -> None:
    notifier = Notifier(listening.address)
    with socket.socket() as one, socket.socket() as other:
        assert notifier.send("FDSTORE=1", descriptors=[one.fileno(), other.fileno()])
    assert (listening.told(), listening.received) == (["FDSTORE=1"], [2])
    notifier.close()


def test_does_not_wait_for_one_who_does_not_read(listening: NotifySocket) -> None:
    notifier = Notifier(listening.address)
    while notifier.send("STATUS=" + "x" * 1000):
        pass
    assert not notifier.send("READY=1")
    listening.told()
    assert notifier.send("READY=1")
    notifier.close()


def test_says_that_nobody_is_there(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    assert not notifier.send("READY=1")
    notifier.close()


def test_takes_the_variables() -> None:
    environ = {
        "NOTIFY_SOCKET": "@x",
        "WATCHDOG_USEC": "2500000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/root",
    }
    notifier = take_notifier(environ)
    assert notifier is not None
    assert (notifier.address, notifier.watchdog) == ("@x", 2.5)
    assert environ == {"HOME": "/root"}
    notifier.close()


@pytest.mark.parametrize(
    "variables",
    [{}, {"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
)
def test_has_no_watchdog_unless_it_is_ours(variables: dict[str, str]) -> None:
    notifier = take_notifier({"NOTIFY_SOCKET": "@x", **variables})
    assert notifier is not None
    assert notifier.watchdog == 0.0
    notifier.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_tells_nobody_it_does_not_know_how_to_reach(address: str) -> None:
    assert take_notifier({"NOTIFY_SOCKET": address}) is None

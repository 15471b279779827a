"""prefork.system.queue: how many wait to be accepted, by the kernel's word."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import eventually

from prefork.system import netlink
from prefork.system.queue import read_queue

NOBODY = 65534


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(stack: ExitStack, place: object, family: int) -> socket.socket:
    listener = stack.enter_context(socket.socket(family))
    listener.bind(place)
    listener.listen(16)
    return listener


@pytest.fixture(params=["tcp", "unix", "abstract"])
def listener(
    request: pytest.FixtureRequest,
    stack: ExitStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> socket.socket:
    monkeypatch.chdir(tmp_path)  # its own path may be too long for a socket
    if request.param == "tcp":
        return listen(stack, ("127.0.0.1", 0), socket.AF_INET)
    place = "app.sock" if request.param == "unix" else f"\0queue-test-{os.getpid()}"
    return listen(stack, place, socket.AF_UNIX)


def call(stack: ExitStack, listener: socket.socket) -> None:
    client = stack.enter_context(socket.socket(listener.family))
    client.connect(listener.getsockname())


def test_counts_those_who_wait(listener: socket.socket, stack: ExitStack) -> None:
    """Behaviour 55."""
    assert read_queue(listener) == 0
    for _ in range(3):
        call(stack, listener)
    # Who has connected is there a moment later, if the kernel is busy.
    eventually(lambda: read_queue(listener) == 3)
    stack.enter_context(listener.accept()[0])
    assert read_queue(listener) == 2


def test_leaves_no_descriptor_open(listener: socket.socket) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        read_queue(listener)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_needs_no_privilege(listener: socket.socket, stack: ExitStack) -> None:
    """Behaviour 55: a master without privileges knows it too."""
    call(stack, listener)
    eventually(lambda: read_queue(listener) == 1)
    pid = os.fork()
    if not pid:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os._exit(read_queue(listener) or 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_is_unknown_where_netlink_is_forbidden(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with RestrictAddressFamilies= of systemd."""
    listener = listen(stack, f"\0queue-test-{os.getpid()}", socket.AF_UNIX)
    monkeypatch.setattr(netlink, "NETLINK_SOCK_DIAG", 9999)
    assert read_queue(listener) is None


def test_is_unknown_of_what_the_kernel_does_not_find() -> None:
    """As of a socket that was inherited from another network namespace."""
    with socket.socket(socket.AF_UNIX) as never_bound, open("/dev/null") as file:
        os.dup2(file.fileno(), never_bound.fileno())
        assert read_queue(never_bound) is None

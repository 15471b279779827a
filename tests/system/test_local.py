"""prefork.system.local: names without files, and who is at the other end."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import eventually

from prefork.errors import ConfigError, SystemRefusal
from prefork.system import listen
from prefork.system.listen import Listener
from prefork.system.local import (
    Peer,
    connect,
    find_control_names,
    open_control_listener,
    peer_of,
)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, where: str) -> Listener:
    listener = open_control_listener(where)
    assert listener is not None
    stack.callback(listen.close, listener)
    return listener


def test_by_default_its_name_has_our_pid(stack: ExitStack) -> None:
    assert opened(stack, "auto").name == f"unix:@prefork/{os.getpid()}"


def test_a_name_that_is_taken_gets_a_number(stack: ExitStack) -> None:
    """So two masters with the same pid, in two pid namespaces, both have one."""
    names = [opened(stack, "auto").name for _ in range(3)]
    ours = f"unix:@prefork/{os.getpid()}"
    assert names == [ours, f"{ours}.1", f"{ours}.2"]
    assert {name.removeprefix("unix:") for name in names} <= set(find_control_names())


def test_names_are_not_without_end(stack: ExitStack) -> None:
    last = [opened(stack, "auto").name for _ in range(100)][-1]
    assert last.removeprefix("unix:") in find_control_names()
    with pytest.raises(SystemRefusal, match="another server listens there"):
        open_control_listener("auto")


def test_none_is_none() -> None:
    assert open_control_listener("none") is None


def test_a_path_is_a_file_for_its_owner(stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "control"
    opened(stack, str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_can_be_given(stack: ExitStack) -> None:
    opened(stack, f"@test/{os.getpid()}")
    connect(f"@test/{os.getpid()}", timeout=1).close()


def test_a_path_that_is_in_use_is_refused_at_once(
    stack: ExitStack, tmp_path: Path
) -> None:
    opened(stack, str(tmp_path / "control"))
    with pytest.raises(SystemRefusal, match="another server listens there"):
        open_control_listener(str(tmp_path / "control"))


def test_a_path_that_is_too_long_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="longer than 107 bytes"):
        open_control_listener("/" + "x" * 200)


def test_only_what_listens_is_found(stack: ExitStack) -> None:
    bound = stack.enter_context(socket.socket(socket.AF_UNIX))
    bound.bind("\0prefork/1234567")
    other = stack.enter_context(socket.socket(socket.AF_UNIX))
    other.bind(f"\0prefork/{os.getpid()}/else")
    other.listen()
    found = set(find_control_names())
    assert not found & {"@prefork/1234567", f"@prefork/{os.getpid()}/else"}
    bound.listen()
    assert "@prefork/1234567" in find_control_names()


def test_each_side_knows_the_other(stack: ExitStack) -> None:
    listener = opened(stack, "auto")
    caller = stack.enter_context(
        connect(listener.name.removeprefix("unix:"), timeout=1)
    )
    accepted, _ = listener.socket.accept()
    stack.callback(accepted.close)
    us = Peer(os.getpid(), os.geteuid())
    assert peer_of(caller) == peer_of(accepted) == us
    assert us.may_command_us()


def test_others_may_not_command_us_but_root_may() -> None:
    assert Peer(1, 0).may_command_us()
    assert not Peer(1, os.geteuid() + 1).may_command_us()


@pytest.mark.process
def test_who_finds_the_queue_full_waits(stack: ExitStack) -> None:
    name = f"\0test/{os.getpid()}/full"
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(name)
    listener.listen(0)
    stack.enter_context(connect("@" + name[1:], timeout=1))
    with pytest.raises(BlockingIOError):
        connect("@" + name[1:], timeout=0.05)
    pid = os.fork()
    if not pid:
        try:
            connect("@" + name[1:], timeout=10)
        except OSError:
            os._exit(1)
        os._exit(0)
    listener.accept()[0].close()
    _, status = eventually(lambda: (p := os.waitpid(pid, os.WNOHANG))[0] and p)
    assert status == 0

"""prefork.template.hazards: what does not survive a fork."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from prefork.template.hazards import find_hazards, open_descriptors


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def known() -> set[int]:
    """What was open before; the test process may have connections of its own."""
    return open_descriptors()


@pytest.fixture
def before(known: set[int]) -> list[str]:
    """The threads that the test process itself may have."""
    return find_hazards(known)


def test_a_thread_is_named(
    stack: ExitStack, known: set[int], before: list[str]
) -> None:
    """Behaviour 10."""
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait, name="metrics-flusher")
    thread.start()
    stack.callback(thread.join)
    stack.callback(leave.set)
    assert find_hazards(known) == ["thread metrics-flusher", *before]


def test_a_thread_that_has_ended_is_none(known: set[int], before: list[str]) -> None:
    """Also if it has done so only now: the kernel has it for a moment longer."""
    for _ in range(3):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        assert find_hazards(known) == before


def test_a_connection_is_named(
    stack: ExitStack, known: set[int], before: list[str]
) -> None:
    """Behaviour 76: two workers would talk on it at the same time."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(listener.getsockname()))
    port = listener.getsockname()[1]
    assert find_hazards(known) == [*before, f"connection to ('127.0.0.1', {port})"]


def test_a_unix_connection_is_named(
    stack: ExitStack, known: set[int], before: list[str]
) -> None:
    for end in socket.socketpair():
        stack.enter_context(end)
    assert find_hazards(known) == [*before, *["connection to an unnamed socket"] * 2]


def test_what_is_not_connected_is_none(
    stack: ExitStack, known: set[int], before: list[str]
) -> None:
    """Listeners, files and pipes are shared without harm."""
    stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.socket())
    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    for fd in (*os.pipe(), os.open(os.devnull, os.O_RDONLY)):
        stack.callback(os.close, fd)
    assert find_hazards(known) == before


def test_what_was_there_before_is_not_the_imports(
    stack: ExitStack, before: list[str]
) -> None:
    for end in socket.socketpair():
        stack.enter_context(end)
    assert find_hazards(open_descriptors()) == before


def test_every_open_descriptor_is_listed(known: set[int]) -> None:
    fd = os.open(os.devnull, os.O_RDONLY)
    assert open_descriptors() == {*known, fd}
    os.close(fd)
    assert open_descriptors() == known


def test_to_look_leaves_nothing_open(known: set[int]) -> None:
    for _ in range(3):
        find_hazards(set())
    assert open_descriptors() == known

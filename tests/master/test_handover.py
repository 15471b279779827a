"""The handover: written, read by another process, refused by another version."""

import fcntl
import os
import socket
from collections.abc import Iterator

import pytest

from prefork.errors import ConfigError
from prefork.master import handover
from prefork.master.backoff import BackOff
from prefork.master.generation import Generation, Stage
from prefork.master.handover import VERSION, descriptors, read_handover, write_handover
from prefork.settings import Settings
from prefork.system.address import parse_bind
from prefork.system.channel import pair
from prefork.system.listen import Listener, close, open_listener

INFINITE = {"deadline": float("inf")}


def test_what_was_written_is_read() -> None:
    fd = write_handover({"name": "é\udc80", **INFINITE})
    try:
        for _ in range(2):  # a rehearsal reads it first
            state = read_handover(fd)
            assert state == {"version": VERSION, "name": "é\udc80", **INFINITE}
    finally:
        os.close(fd)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behaviour 38."""
    fd = write_handover({})
    monkeypatch.setattr(handover, "VERSION", VERSION + 1)
    try:
        with pytest.raises(
            ConfigError, match=rf"of version {VERSION}, .* version {VERSION + 1}"
        ):
            read_handover(fd)
    finally:
        os.close(fd)


def test_it_does_not_survive_an_exec_by_itself() -> None:
    fd = write_handover({})
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)


def test_descriptors_are_found_however_deep() -> None:
    crew = [{"slot": 0, "channel": {"fd": 8}}, {"slot": 1, "channel": None}]
    files = {"access.log": {"fd": 7}, "fd.log": {"fd": 9}}
    state = {"scoreboard": {"fd": 5}, "crew": crew, "logs": files, "bell": {"fd": 6}}
    assert sorted(descriptors(state)) == [5, 6, 7, 8, 9]


# The parts


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = open_listener(parse_bind("127.0.0.1:0"))
    yield listener
    close(listener)


def test_a_listener_is_what_it_was(listener: Listener) -> None:
    state = listener.state()
    state["fd"] = os.dup(state["fd"])  # as another process would have it
    restored = Listener.restore(state)
    assert restored.address == listener.address
    assert restored.url == listener.url
    assert restored.identity is None
    with socket.create_connection(listener.socket.getsockname()):
        restored.socket.accept()[0].close()
    restored.socket.close()


def test_a_generation_is_what_it_was(listener: Listener) -> None:
    settings = Settings(app="app:wsgi", bind=("127.0.0.1:0",))
    generation = Generation(7, settings, [listener], chance=lambda: 0.0)
    generation.stage, generation.pid, generation.preload = Stage.READY, 812, False
    generation.backoff.failed(100.0)
    generation.channel, theirs = pair()
    by_descriptor = {listener.socket.fileno(): listener}
    state = generation.state()
    state["channel"] = {"fd": os.dup(state["channel"]["fd"])}
    restored = Generation.restore(state, by_descriptor, chance=lambda: 0.0)
    assert restored.settings == settings
    assert restored.listeners == [listener]
    assert restored.state() == {**generation.state(), "channel": state["channel"]}
    theirs.send("loaded", preload=True)
    assert [message.kind for message in restored.hear()] == ["loaded"]
    for channel in (generation.channel, restored.channel, theirs):
        channel.close()


def test_a_generation_that_leaves_has_lost_what_was_closed(listener: Listener) -> None:
    other = open_listener(parse_bind("127.0.0.1:0"))
    generation = Generation(7, Settings(), [other, listener], chance=lambda: 0.0)
    close(other)
    assert generation.state()["listeners"] == [listener.socket.fileno()]


def test_a_back_off_goes_on_where_it_was() -> None:
    before, after = BackOff(lambda: 0.5), BackOff(lambda: 0.5)
    before.failed(10.0)
    before.failed(11.0)
    after.restore(before.state())
    assert after.failed(12.0) == before.failed(12.0)

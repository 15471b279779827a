"""prefork.system.channel: whole messages, signed, with descriptors."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.settings.kinds import MOST_ADDRESSES
from prefork.system.channel import (
    LONGEST,
    MOST_DESCRIPTORS,
    TEXT_LIMIT,
    Channel,
    Message,
    adopt,
    pair,
)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """The master's end, and the other."""
    ends = pair()
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def ours(ends: tuple[Channel, Channel]) -> Channel:
    return ends[0]


@pytest.fixture
def theirs(ends: tuple[Channel, Channel]) -> Channel:
    return ends[1]


def only(channel: Channel) -> Message:
    """The one message that has arrived."""
    (message,) = channel.receive()
    return message


def test_a_message_arrives_as_it_was_sent(ours: Channel, theirs: Channel) -> None:
    assert ours.send("retire", drain=True, slot=3)
    message = only(theirs)
    assert (message.kind, message.fields) == ("retire", {"drain": True, "slot": 3})
    assert message.descriptors == []


def test_both_sides_may_speak(ours: Channel, theirs: Channel) -> None:
    ours.send("fork")
    theirs.send("ready")
    assert only(theirs).kind == "fork"
    assert only(ours).kind == "ready"


def test_a_default_timeout_does_not_make_it_wait() -> None:
    """socket.setdefaulttimeout() is the application's to use."""
    before = time.monotonic()
    socket.setdefaulttimeout(5)
    try:
        ours, theirs = pair()
    finally:
        socket.setdefaulttimeout(None)
    assert list(ours.receive()) == []
    assert time.monotonic() - before < 4
    ours.close()
    theirs.close()


def test_messages_keep_their_order_and_their_borders(
    ours: Channel, theirs: Channel
) -> None:
    for number in range(20):
        ours.send("count", number=number)
    assert [m.fields["number"] for m in theirs.receive()] == list(range(20))
    assert list(theirs.receive()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(json_values)
def test_whatever_json_can_say_arrives(value: object) -> None:
    ours, theirs = pair()
    ours.send("say", value=value)
    assert only(theirs).fields == {"value": value}
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "character", ["x", "\0", "\N{SNOWMAN}", "\U0001f600", "\udc80"]
)
def test_a_traceback_of_the_longest_kind_arrives(
    ours: Channel, theirs: Channel, character: str
) -> None:
    text = character * TEXT_LIMIT
    assert theirs.send("failed", text=text)
    assert only(ours).fields["text"] == text


def test_what_is_too_long_is_not_sent(ours: Channel, theirs: Channel) -> None:
    assert not theirs.send("failed", text="x" * LONGEST)
    assert theirs.send("failed", text="x" * (LONGEST - 100))
    assert len(only(ours).fields["text"]) == LONGEST - 100


@pytest.mark.parametrize("junk", [b"hello", b"7\n", b"{}", b"[" * 10_000, b"\xff\xfe"])
def test_what_is_no_message_is_of_no_known_kind(
    ours: Channel, theirs: Channel, junk: bytes
) -> None:
    """An application may write into any descriptor: the master goes on."""
    os.write(theirs.fileno(), junk)
    theirs.send("ready")
    assert [message.kind for message in ours.receive()] == ["", "ready"]


def test_nothing_to_hear_is_not_waited_for(ours: Channel) -> None:
    assert list(ours.receive()) == []
    assert not ours.is_closed


def test_descriptors_travel_along(ours: Channel, theirs: Channel) -> None:
    reader, writer = os.pipe()
    ours.send("boot", descriptors=[writer, reader])
    os.close(reader)
    os.close(writer)
    received_writer, received_reader = only(theirs).descriptors
    os.write(received_writer, b"still the same pipe")
    assert os.read(received_reader, 100) == b"still the same pipe"
    assert not os.get_inheritable(received_reader)
    os.close(received_reader)
    os.close(received_writer)


def test_as_many_descriptors_as_a_server_has_listeners(
    ours: Channel, theirs: Channel
) -> None:
    assert ours.send("boot", descriptors=[0] * 100)
    received = only(theirs).descriptors
    assert len(received) == 100
    for fd in received:
        os.close(fd)


def test_the_end_is_a_message_too(ours: Channel, theirs: Channel) -> None:
    theirs.send("leaving")
    theirs.close()
    assert [message.kind for message in ours.receive()] == ["leaving"]
    assert ours.is_closed
    assert list(ours.receive()) == []


def test_who_leaves_hears_all_that_was_said_and_the_others_know_it(
    ours: Channel, theirs: Channel
) -> None:
    """So whatever is sent is heard, or known not to be."""
    assert ours.send("open") and ours.send("retire")
    left = theirs.hear_out()
    assert not ours.send("take in")
    assert [message.kind for message in left] == ["open", "retire"]
    assert theirs.is_closed
    assert theirs.send("leaving")
    assert only(ours).kind == "leaving"


def test_who_leaves_after_the_other_has_left_hears_it_out_as_well(
    ours: Channel, theirs: Channel
) -> None:
    ours.send("retire")
    ours.close()
    assert [message.kind for message in theirs.hear_out()] == ["retire"]


def test_nobody_there_is_no_error(ours: Channel, theirs: Channel) -> None:
    """The master never goes down because a child has."""
    theirs.close()
    assert not ours.send("retire")


def test_whoever_does_not_read_makes_nobody_wait(
    ours: Channel, theirs: Channel
) -> None:
    sent = 0
    while ours.send("reopen", text="x" * 1000):
        sent += 1
        assert sent < 100_000
    assert len(list(theirs.receive())) == sent
    assert ours.send("reopen")


def test_wait_blocks_until_a_message_comes(ours: Channel, theirs: Channel) -> None:
    later = threading.Timer(0.05, ours.send, ["fork"])
    later.start()
    message = theirs.wait()
    assert message is not None
    assert message.kind == "fork"
    later.join()


def test_wait_ends_at_the_end(ours: Channel, theirs: Channel) -> None:
    ours.close()
    assert theirs.wait() is None
    assert theirs.is_closed


@pytest.mark.parametrize("is_blocking", [True, False])
def test_does_not_depend_on_the_flag_of_the_descriptor(
    ours: Channel, theirs: Channel, is_blocking: bool
) -> None:
    """Behaviour 58: applications set and clear O_NONBLOCK of what they find."""
    os.set_blocking(theirs.fileno(), is_blocking)
    assert list(theirs.receive()) == []
    later = threading.Timer(0.05, ours.send, ["fork"])
    later.start()
    assert theirs.wait() is not None
    later.join()
    while theirs.send("ready", text="x" * 1000):
        pass
    assert len(list(ours.receive())) > 1


@pytest.mark.process
def test_the_kernel_says_who_has_sent_it(ours: Channel, theirs: Channel) -> None:
    """No process can speak for another."""
    theirs.send("registered")
    pid = os.fork()
    if not pid:
        theirs.send("registered", pid=os.getppid())
        os._exit(0)
    os.waitpid(pid, 0)
    assert [message.sender for message in ours.receive()] == [os.getpid(), pid]


def test_a_descriptor_can_be_adopted(ours: Channel) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    master, child = Channel(near), adopt(os.dup(far.fileno()))
    far.close()
    master.send("boot", generation=7)
    message = child.wait()
    assert message is not None
    assert message.fields == {"generation": 7}
    master.close()
    child.close()


def test_one_message_has_room_for_all_listeners_of_a_worker() -> None:
    assert 1 + MOST_ADDRESSES <= MOST_DESCRIPTORS  # its own channel goes with them

"""One request as lines for people."""

import pytest

from prefork.monitor.block import Block, leave_plain, paint
from prefork.protocols.watching.events import (
    Answered,
    Asked,
    Broken,
    Complaint,
    Data,
    End,
    Event,
    Side,
    Unit,
)


def lines_of(*events: tuple[Side, Event]) -> list[str]:
    """What is written of events that are a millisecond apart."""
    block = Block(1, 10.0, leave_plain)
    for number, (side, event) in enumerate(events):
        block.take(side, event, 10.0 + number / 1000)
    block.close_run()
    return block.lines


def test_a_request_and_its_answer() -> None:
    assert lines_of(
        (Side.CLIENT, Asked(1, "GET / HTTP/1.1", (("A", "b"),))),
        (Side.CLIENT, Data(1, b"four")),
        (Side.SERVER, Answered(1, 200, "OK", (("X", "y"),))),
        (Side.SERVER, Data(1, b"x" * 1500)),
        (Side.SERVER, End(1)),
    ) == [
        "       0.0 ms → GET / HTTP/1.1",
        "                  A = b",
        "       2.0 ms ← 200 OK",
        "                  X = y",
        "       4.0 ms = 200; 4 B asked, 1.5 kB answered, 4 ms",
    ]


def test_units_of_one_name_that_follow_each_other_are_counted() -> None:
    assert lines_of(
        (Side.CLIENT, Unit(1, "STDIN", 10)),
        (Side.CLIENT, Unit(1, "STDIN", 20)),
        (Side.SERVER, Unit(1, "STDIN", 1)),
        (Side.SERVER, Unit(1, "END", 8, "status 0")),
        (Side.SERVER, Unit(1, "END", 8, "status 1")),
        (Side.SERVER, Unit(1, "PONG", 0)),
    ) == [
        "       0.0 ms → STDIN  2 ×, 30 B",
        "       2.0 ms ← STDIN  1 B",
        "       3.0 ms ← END  8 B, status 0",
        "       4.0 ms ← END  8 B, status 1",
        "       5.0 ms ← PONG  0 B",
    ]


def test_what_goes_wrong_is_said() -> None:
    assert lines_of(
        (Side.SERVER, Complaint(1, b"one\ntwo\n")),
        (Side.CLIENT, Broken("nonsense")),
        (Side.SERVER, End(1, "closed")),
    ) == [
        "       0.0 ms ← STDERR: one",
        "       0.0 ms ← STDERR: two",
        "       1.0 ms → the client is not understood: nonsense",
        "       2.0 ms = no answer; 0 B asked, 0 B answered, 2 ms: closed",
    ]


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2J", "\\x1b[2J"),
        ("caf\xc3\xa9", "café"),
        ("caf\xe9", "café"),
        ("\xff\x00", "ÿ\\x00"),
        ("x" * 5000, "x" * 2048 + "..."),
    ],
)
def test_what_comes_from_the_wire_harms_no_terminal(wire: str, shown: str) -> None:
    lines = lines_of((Side.CLIENT, Asked(1, "-", (("A", wire),))))
    assert lines[1] == f"                  A = {shown}"


def test_bytes_are_written_in_rows() -> None:
    block = Block(1, 0.0, leave_plain)
    block.take_bytes(Side.CLIENT, b"GET / HTTP/1.1\r\n\r\n", 0.0)
    assert block.lines == [
        "       0.0 ms → 18 bytes",
        "                  000000  "
        "47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..",
        "                  000010  0d 0a                                            ..",
    ]


def test_colours_are_painted_only_where_they_are_wanted() -> None:
    block = Block(1, 0.0, paint)
    block.take(Side.SERVER, Answered(1, 200, "OK", ()), 0.0)
    assert block.lines == ["       0.0 ms \x1b[32m←\x1b[0m \x1b[1m200 OK\x1b[0m"]

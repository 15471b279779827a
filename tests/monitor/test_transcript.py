"""The blocks of a connection: when each is written, and under which heading."""

from prefork.monitor.transcript import MOST_LINES, Page, Transcript
from prefork.protocols.watching.events import Answered, Asked, End, Event, Side, Unit


def ask(number: int) -> Asked:
    return Asked(number, f"GET /{number} HTTP/1.1", ())


class Written:
    """A transcript, and what has been written of it."""

    def __init__(self) -> None:
        self.text = ""
        self.page = Page(self._write)
        self.transcript = Transcript("#7", "http from here", self.page)

    def _write(self, text: str) -> None:
        self.text += text

    def take(self, event: Event, now: float = 0.0, side: Side = Side.CLIENT) -> str:
        """What is written when this is told."""
        before = len(self.text)
        self.transcript.take(side, [event], now)
        return self.text[before:]


def test_a_block_is_written_when_its_request_has_been_answered() -> None:
    written = Written()
    assert written.take(ask(1)) == ""
    assert written.take(End(1), 0.5, Side.SERVER) == (
        "#7.1 http from here\n"
        "       0.0 ms → GET /1 HTTP/1.1\n"
        "     500.0 ms = no answer; 0 B asked, 0 B answered, 500 ms\n"
    )


def test_requests_that_overlap_have_blocks_of_their_own() -> None:
    written = Written()
    written.take(ask(1))
    written.take(ask(2))
    assert "#7.2" in written.take(End(2))
    assert "#7.1" in written.take(End(1))


def test_what_takes_long_is_written_as_far_as_it_has_come() -> None:
    written = Written()
    written.take(ask(1))
    written.transcript.write_old(0.9)
    assert written.text == ""
    written.transcript.write_old(1.1)
    assert "GET /1" in written.text
    assert written.take(Answered(1, 200, "OK", ()), 1.5, Side.SERVER) == ""
    assert written.take(End(1), 1.6, Side.SERVER) == (
        "    1500.0 ms ← 200 OK\n    1600.0 ms = 200; 0 B asked, 0 B answered, 1.6 s\n"
    )


def test_after_another_block_it_is_continued_under_its_heading() -> None:
    written = Written()
    written.take(ask(1))
    written.transcript.write_old(1.1)
    written.page.add("#8.1 http from there", ["something"], is_continued=False)
    assert written.take(End(1), 1.6).startswith("\n#7.1 http from here, continued\n")


def test_what_has_become_long_is_written() -> None:
    written = Written()
    for number in range(MOST_LINES + 1):
        assert written.take(Unit(1, f"unit {number}", 0)) == ""
    assert written.take(Unit(1, "one more", 0)).count("\n") == MOST_LINES + 2


def test_what_is_of_the_connection_stands_with_its_newest_request() -> None:
    written = Written()
    written.take(ask(1))
    written.take(Unit(0, "GET_VALUES", 3))
    assert "GET_VALUES" in written.take(End(1))


def test_at_the_end_everything_is_written_and_why_it_ended() -> None:
    written = Written()
    written.take(ask(1))
    written.take(Unit(1, "STDIN", 3))
    written.transcript.finish(0.2, "reset by the client")
    assert written.text.splitlines()[1:] == [
        "       0.0 ms → GET /1 HTTP/1.1",
        "       0.0 ms → STDIN  3 B",
        "     200.0 ms × reset by the client",
    ]


def test_a_connection_that_failed_before_its_first_byte_has_a_block() -> None:
    written = Written()
    written.transcript.finish(0.0, "cannot connect")
    assert written.text.startswith("#7.1 http from here\n")

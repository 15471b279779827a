"""wsgi.errors for two logs: ours, and the front end's."""

import io
import logging

import pytest

from prefork.gateways.errors import LONGEST_UNFINISHED, SharedErrors


class Errors:
    """A stream, and what each side has got."""

    def __init__(self) -> None:
        self.ours = io.StringIO()
        self.told: list[bytes] = []
        self.stream = SharedErrors(self.ours, self.told.append)


@pytest.fixture
def errors() -> Errors:
    return Errors()


def test_a_line_that_is_printed_in_parts_is_told_once(errors: Errors) -> None:
    print("three", "words", 7, file=errors.stream)  # type: ignore[call-overload]
    assert errors.told == [b"three words 7\n"]
    assert errors.ours.getvalue() == "three words 7\n"


def test_part_of_a_line_waits_for_its_end_or_a_flush(errors: Errors) -> None:
    errors.stream.write("half")
    assert errors.told == [] and errors.ours.getvalue() == "half"
    errors.stream.flush()
    errors.stream.flush()
    assert errors.told == [b"half"]


def test_many_lines_at_once_are_one_message(errors: Errors) -> None:
    errors.stream.writelines(["a\nb\n", "c"])
    errors.stream.write("d\ne")
    assert errors.told == [b"a\nb\n", b"cd\n"]


def test_a_line_without_an_end_does_not_wait_for_ever(errors: Errors) -> None:
    errors.stream.write("x" * (LONGEST_UNFINISHED + 1))
    assert errors.told == [b"x" * (LONGEST_UNFINISHED + 1)]


def test_a_text_that_cannot_be_encoded_is_told_as_far_as_it_can(errors: Errors) -> None:
    errors.stream.write("ü \ud800\n")
    assert errors.told == [b"\xc3\xbc \\ud800\n"]


def test_the_logging_module_can_write_to_it(errors: Errors) -> None:
    handler: logging.Handler = logging.StreamHandler(errors.stream)  # type: ignore[arg-type]
    handler.handle(logging.makeLogRecord({"msg": "logged"}))
    assert errors.told == [b"logged\n"]

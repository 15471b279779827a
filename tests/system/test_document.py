"""prefork.system.document: text of any length for another process."""

import os

import pytest

from prefork.system.document import read_document, write_document


@pytest.mark.parametrize("text", ["", "é\n", "x" * 3_000_000])
def test_what_was_written_is_read(text: str) -> None:
    fd = write_document(text, name="test")
    try:
        assert not os.get_inheritable(fd)
        assert read_document(fd) == text
        assert read_document(fd) == text  # by a second reader as well
    finally:
        os.close(fd)


def test_what_cannot_be_written_leaves_nothing_open() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UnicodeEncodeError):
        write_document("\udcff", name="test")
    assert os.listdir("/proc/self/fd") == before

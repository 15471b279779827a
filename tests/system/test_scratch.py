"""prefork.system.scratch: a file without a name."""

import os
import tempfile
from pathlib import Path

import pytest

from prefork.system.scratch import open_scratch


@pytest.mark.parametrize(
    ("name", "is_in_memory"), [("", False), ("no/such/directory", True)]
)
def test_what_is_written_can_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, is_in_memory: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    with open_scratch() as file:
        assert file.write(b"some words") == 10
        file.seek(0)
        assert file.read() == b"some words"
        link = os.readlink(f"/proc/self/fd/{file.fileno()}")
        assert link.startswith("/memfd:") is is_in_memory
        assert "deleted" in link
        assert not os.get_inheritable(file.fileno())

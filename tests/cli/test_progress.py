"""prefork.cli.progress: a line a phase."""

import pytest

from prefork.cli.progress import show
from prefork.errors import CommandError

WORDING = {"roll": "{done_workers} of {workers} workers"}
STEP = {"phase": "roll", "done_workers": 1, "workers": 2}
END = {"done": True}


def test_each_step_is_told_in_the_words_of_its_phase(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show([STEP, END], WORDING) == END
    assert capsys.readouterr().out == "1 of 2 workers\n"


def test_a_phase_without_words_is_told_by_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The master may be of another version."""
    assert show([{"phase": "dance"}, END], WORDING) == END
    assert capsys.readouterr().out == "dance\n"


def test_a_story_that_breaks_off_is_an_error() -> None:
    with pytest.raises(CommandError):
        show([STEP], WORDING)

"""prefork.system.memory_limit: what a control group leaves, as files say it."""

from pathlib import Path

import pytest

from prefork.system.memory_limit import read_share


def make_group(
    directory: Path, *, used: int, limit: int | str, idle_files: int | None = 0
) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "memory.current").write_text(f"{used}\n")
    (directory / "memory.max").write_text(f"{limit}\n")
    if idle_files is not None:
        stat = f"anon 1\ninactive_file {idle_files}\nactive_file 7\n"
        (directory / "memory.stat").write_text(stat)
    return directory


def test_tells_which_part_of_the_limit_is_used(tmp_path: Path) -> None:
    """Behaviour 63."""
    group = make_group(tmp_path / "app", used=920, limit=1000)
    assert read_share([group]) == pytest.approx(0.92)


def test_files_that_nobody_reads_are_not_counted(tmp_path: Path) -> None:
    group = make_group(tmp_path / "app", used=920, limit=1000, idle_files=500)
    assert read_share([group]) == pytest.approx(0.42)


def test_without_a_limit_there_is_no_part(tmp_path: Path) -> None:
    assert read_share([make_group(tmp_path / "app", used=920, limit="max")]) is None


def test_without_files_there_is_no_part(tmp_path: Path) -> None:
    assert read_share([tmp_path]) is None


def test_the_nearest_limit_counts_whosever_it_is(tmp_path: Path) -> None:
    outer = make_group(tmp_path / "outer", used=900, limit=1000)
    inner = make_group(outer / "inner", used=300, limit=3000)
    assert read_share([inner]) == pytest.approx(0.9)
    make_group(inner, used=300, limit=310)
    assert read_share([inner]) > 0.95


@pytest.mark.parametrize("text", ["", "many", "0"])
def test_what_makes_no_sense_is_no_limit(tmp_path: Path, text: str) -> None:
    assert read_share([make_group(tmp_path / "app", used=5, limit=text)]) is None


def test_version_1_has_other_names_for_it(tmp_path: Path) -> None:
    """Behaviour 63; and a number that means that there is no limit."""
    (tmp_path / "memory.usage_in_bytes").write_text("920\n")
    (tmp_path / "memory.stat").write_text("inactive_file 7\ntotal_inactive_file 20\n")
    limit = tmp_path / "memory.limit_in_bytes"
    limit.write_text("1000\n")
    assert read_share([tmp_path]) == pytest.approx(0.9)
    limit.write_text("9223372036854771712\n")
    assert read_share([tmp_path]) is None


def test_of_several_groups_the_fullest_counts(tmp_path: Path) -> None:
    full = make_group(tmp_path / "full", used=90, limit=100)
    empty = make_group(tmp_path / "empty", used=1, limit=100)
    assert read_share([full, empty]) == read_share([empty, full]) == 0.9


def test_without_a_group_there_is_no_part() -> None:
    assert read_share([]) is None

"""Home: the working directory, by the name that it was given."""

import os
from pathlib import Path

import pytest

from prefork.system import home


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to a directory; we are there, and the shell has said how."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "one")
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", os.fspath(link))
    return link


def test_a_link_keeps_its_name(link: Path) -> None:
    home.remember()
    assert os.environ["PWD"] == os.fspath(link)


def test_the_name_of_another_directory_is_replaced(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PWD", os.fspath(link.parent))
    home.remember()
    assert os.environ["PWD"] == os.fspath(link.parent / "one")


@pytest.mark.parametrize("name", ["", "/no/such/place"])
def test_without_a_name_it_is_where_we_are(
    link: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PWD", name)
    home.remember()
    assert os.environ["PWD"] == os.fspath(link.parent / "one")


def test_entering_follows_the_link(link: Path) -> None:
    home.remember()
    link.unlink()
    link.symlink_to(link.parent / "two")
    home.enter()
    assert os.getcwd() == os.fspath(link.parent / "two")


def test_entering_what_is_gone_is_an_error(link: Path) -> None:
    link.unlink()
    with pytest.raises(FileNotFoundError):
        home.enter()


def test_who_is_there_asks_for_nothing(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unprivileged user may stay where it could not go."""
    monkeypatch.setattr(os, "chdir", lambda _: pytest.fail("it went"))
    home.enter()

"""Where the files are that an application was imported from."""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import prefork
from prefork.template import sources
from prefork.template.sources import find_sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "some_application_of_ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    importlib.import_module(package.name)
    yield package
    del sys.modules[package.name]


def test_the_working_directory_is_first(package: Path) -> None:
    assert find_sources()[0] == os.getcwd()


def test_the_directory_of_an_imported_module_is_one(package: Path) -> None:
    assert str(package) in find_sources()


def test_what_is_installed_is_none(package: Path) -> None:
    for module in (json, pytest, prefork):
        assert module.__file__
        assert os.path.dirname(module.__file__) not in find_sources()


def test_the_file_of_a_mistake_is_in_one(tmp_path: Path) -> None:
    """A module that could not be compiled is no module."""
    mistake = tmp_path / "new" / "broken.py"
    mistake.parent.mkdir()
    mistake.write_text("def broken(:\n")
    with pytest.raises(SyntaxError) as caught:
        compile(mistake.read_text(), mistake, "exec")
    assert find_sources(caught.value)[1] == str(mistake.parent)
    outer = RuntimeError("as the loader has it")
    outer.__cause__ = caught.value
    assert str(mistake.parent) in find_sources(outer)


@pytest.mark.parametrize(("limit", "value"), [("MOST", 1), ("LONGEST", 1)])
def test_there_is_a_limit(
    package: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(sources, limit, value)
    assert len(find_sources()) <= 1

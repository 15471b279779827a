"""The layers of the package, and proof that imports only go down.

To see the architecture, read LAYERS.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "prefork"

LAYERS = [  # a layer may import itself and every layer below it
    {"cli"},
    {"config"},
    {"master", "template", "worker", "spawn"},  # siblings: none may import another
    {"gateways", "system", "monitor"},
    {"protocols"},
    {"settings", "errors"},
]
PURE = (
    "protocols/",
    "settings/",
    "errors.py",
    "master/states.py",
    "master/crashes.py",
    "master/roster.py",
    "master/scaling.py",
    "spawn/getopt.py",
    "spawn/numbers.py",
    "spawn/options.py",
    "worker/limits.py",
)
IMPURE = {
    "logging",
    "os",
    "select",
    "selectors",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "time",
}
KNOW_SETTINGS = {"cli", "config", "master", "template", "worker", "settings"}
SCREEN = 50  # lines
LONGEST_FILE = 400  # lines

MODULES = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.name != "__init__.py"
)
every_module = pytest.mark.parametrize("module", MODULES)


def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text())


def part_of(module: str) -> str:
    """The folder or file directly under the package that `module` is in."""
    return module.split("/")[0].removesuffix(".py")


def level(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def imported_parts(module: str) -> Iterator[str]:
    """Which parts of our own package a module imports from."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            path = [*(node.module or "").split("."), node.names[0].name]
            if path[0] == "prefork":
                yield path[1]
        elif isinstance(node, ast.Import):
            names = (alias.name.split(".") for alias in node.names)
            yield from (name[1] for name in names if name[0] == "prefork" and name[1:])


def imported_packages(module: str) -> Iterator[str]:
    """Which other packages it imports, by their first name."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@every_module
def test_imports_only_go_down(module: str) -> None:
    here = part_of(module)
    for part in imported_parts(module):
        if part not in (here, "__version__"):
            assert level(part) > level(here), f"{here} imports {part}"


@every_module
def test_imports_of_our_own_are_absolute(module: str) -> None:
    assert not [
        node
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom) and node.level
    ]


@every_module
def test_only_the_upper_layers_know_the_settings(module: str) -> None:
    if part_of(module) not in KNOW_SETTINGS:
        assert "settings" not in set(imported_parts(module))


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(PURE)])
def test_pure_modules_do_no_io(module: str) -> None:
    assert not IMPURE & set(imported_packages(module))


@every_module
def test_no_function_is_longer_than_a_screen(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < SCREEN, f"{node.name} is too long"


@every_module
def test_no_file_is_two_ideas(module: str) -> None:
    text = (PACKAGE / module).read_text()
    assert text.count("\n") <= LONGEST_FILE
    assert len(text.split("\n", 1)[0]) <= 80, "the first line says what the file is"


def test_no_folder_is_a_drawer() -> None:
    names = {part for module in MODULES for part in Path(module).with_suffix("").parts}
    assert not names & {"utils", "util", "common", "core", "helpers", "misc"}

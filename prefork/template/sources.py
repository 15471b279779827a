"""Sources: where the files are that an application was imported from."""

import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator

MOST = 256  # directories
LONGEST = 30_000  # characters of all of them: they travel in a message
PREFORK = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def find_sources(error: BaseException | None = None) -> list[str]:
    """The directories of all modules, except installed ones and our own.

    The working directory comes first; then that of the file where `error` is, which
    is no module if it could not be compiled.
    """
    modules = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    files = [*_files_of(error), *sorted(file for file in modules if file)]
    installed = _installed()
    sources = {os.getcwd(): None}
    for directory in (os.path.dirname(os.path.abspath(file)) for file in files):
        if not _is_below(directory, installed):
            sources[directory] = None
    return list(_bounded(sources))


def _files_of(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield frame.f_code.co_filename
        error = error.__cause__ or error.__context__


def _installed() -> list[str]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return [*(paths[name] for name in names), site.getusersitepackages(), PREFORK]


def _is_below(path: str, directories: Iterable[str]) -> bool:
    return any(path == each or path.startswith(each + os.sep) for each in directories)


def _bounded(directories: Iterable[str]) -> Iterator[str]:
    length = 0
    for _, directory in zip(range(MOST), directories, strict=False):
        length += len(directory)
        if length > LONGEST:
            return
        yield directory

"""Loads `module:callable`, and first sets directory, path and environment."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from prefork.errors import ApplicationError, ConfigError


def prepare(*, chdir: str, pythonpath: Sequence[str], env: Sequence[str]) -> None:
    """Set the working directory, sys.path and environment the application sees."""
    if chdir:
        try:
            os.chdir(chdir)
        except OSError as error:
            raise ConfigError(
                f"chdir: cannot change to directory {chdir!r}: {error.strerror}"
            ) from error
    for directory in [os.getcwd(), *map(os.path.abspath, reversed(pythonpath))]:
        if directory not in sys.path:
            sys.path.insert(0, directory)
    for item in env:
        name, _, value = item.partition("=")
        os.environ[name] = value


def load(app: str) -> Callable[..., Any]:
    """Import `module:callable` (`module` alone means `module:application`).

    The callable may be dotted, or called: `module:make()` is a factory without
    arguments.  ApplicationError carries the traceback, without our own frames.
    """
    module_name, _, path = app.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
        for name in (path or "application").removesuffix("()").split("."):
            target = getattr(target, name)
        if path.endswith("()"):
            target = target()
    except (Exception, SystemExit) as error:
        raise ApplicationError(_explain(app, error)) from error
    if not callable(target):
        raise ApplicationError(
            f"cannot load {app}: {path or 'application'} is a "
            f"{type(target).__name__}, which cannot be called"
        )
    return target  # type: ignore[no-any-return]


def _explain(app: str, error: BaseException) -> str:
    """The traceback and those of its causes, without our own frames."""
    report = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = report
    while link is not None:
        theirs = [frame for frame in link.stack if not _is_ours(frame.filename)]
        link.stack = traceback.StackSummary.from_list(theirs)
        link = link.__cause__ or link.__context__
    if report.stack:
        text = "".join(report.format())
    else:
        text = "".join(report.format_exception_only()) + _advise(app)
    return f"cannot load {app}\n{text}".rstrip()


def _advise(app: str) -> str:
    module_name = app.partition(":")[0]
    if module_name.endswith(".py") or "/" in module_name:
        return "(name the module, as app:wsgi, not its file; --chdir says where it is)"
    return ""


def _is_ours(filename: str) -> bool:
    """Does a frame belong to the import, not to what is imported?"""
    is_frozen = filename.startswith("<frozen importlib")
    return is_frozen or filename in (__file__, importlib.__file__)

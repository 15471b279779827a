"""From `module:callable` to an application, and the ground it stands on."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from prefork.errors import ApplicationError


def prepare(*, chdir: str, pythonpath: Sequence[str], env: Sequence[str]) -> None:
    """Set the working directory, sys.path and environment the application sees."""
    if chdir:
        try:
            os.chdir(chdir)
        except OSError as error:
            raise ApplicationError(
                f"cannot change to directory {chdir!r}: {error.strerror}"
            ) from error
    for directory in [*reversed(pythonpath), os.getcwd()]:
        if directory not in sys.path:
            sys.path.insert(0, os.path.abspath(directory))
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
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame
        for frame in frames
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    lines = [f"cannot load {app}\n"]
    if theirs:
        lines += [
            "Traceback (most recent call last):\n",
            *traceback.format_list(theirs),
        ]
    return "".join(lines + traceback.format_exception_only(error)).rstrip()

"""Which program a request means: the path is walked, and the root never left.

Paths are latin-1 text here, as in the variables (PEP 3333): a character a byte.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefork.errors import ConfigError, ProtocolError

MOST_SEGMENTS = 64  # of a path: each costs a look at the file system


@dataclass(frozen=True, slots=True)
class Target:
    """A program, and how the path that led to it is cut."""

    file: str
    script_name: str
    path_info: str
    document_root: str


class Site:
    """Programs of a directory, or a single one: `root` says which."""

    def __init__(self, root: str) -> None:
        try:
            self._root = decode(os.path.realpath(os.fsencode(root), strict=True))
            self._is_directory = os.path.isdir(root)
        except OSError as error:
            raise ConfigError(f"cannot serve {root}: {error.strerror}") from error
        if not self._is_directory:
            problem = find_problem(self._root)
            if problem:
                raise ConfigError(f"cannot serve {root}: {problem}")

    def find(self, variables: Mapping[str, str]) -> Target:
        """The program that the path leads to; ProtocolError when there is none."""
        prefix, path = variables["SCRIPT_NAME"], variables["PATH_INFO"]
        if not self._is_directory:
            return Target(self._root, prefix, path, os.path.dirname(self._root))
        file, rest = walk(self._root, path)
        name = prefix + path[: len(path) - len(rest)]
        return Target(file, name, rest, self._root)


class Wrap:
    """Programs that the front end names, as fcgiwrap serves them.

    SCRIPT_FILENAME, else DOCUMENT_ROOT with SCRIPT_NAME and PATH_INFO.  `allowed`
    are the programs and directories that may be meant; none: all.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = [find_real(decode(os.fsencode(path))) for path in allowed]

    def find(self, variables: Mapping[str, str]) -> Target:
        """The program that is named; ProtocolError when it is not to be run."""
        target = self._look_up(variables)
        real = find_real(target.file)
        if self._allowed and not any(is_inside(real, path) for path in self._allowed):
            raise ProtocolError(f"{target.file} is not among the allowed", status=403)
        return target

    def _look_up(self, variables: Mapping[str, str]) -> Target:
        name, path = variables["SCRIPT_NAME"], variables["PATH_INFO"]
        root = variables.get("DOCUMENT_ROOT", "")
        file = variables.get("SCRIPT_FILENAME", "")
        if file:
            check_path(file)
            check_program(file)
            return Target(file, name, path, root or os.path.dirname(file))
        if not root.startswith("/"):
            raise ProtocolError("neither SCRIPT_FILENAME nor DOCUMENT_ROOT", status=403)
        file, rest = walk(find_real(root), name + path)
        whole = name + path
        return Target(file, whole[: len(whole) - len(rest)], rest, root)


def walk(root: str, path: str) -> tuple[str, str]:
    """The first program on the way from `root` along `path`, and the path's rest.

    `root` is a real path.  Symbolic links are followed while they stay inside.
    """
    check_path(path)
    place, rest = root, path
    while True:
        segment, slash, beyond = rest[1:].partition("/")
        if not segment:  # "//": no file is called that
            raise ProtocolError(f"{place} is a directory", status=403)
        place, rest = f"{place}/{segment}", slash + beyond
        try:
            mode = os.stat(encode(place)).st_mode
        except OSError as error:
            raise ProtocolError(f"{place}: {error.strerror}", status=404) from error
        if not stat.S_ISDIR(mode):
            check_program(place)
            if not is_inside(find_real(place), root):
                raise ProtocolError(f"{place} leads outside", status=403)
            return place, rest


def check_path(path: str) -> None:
    segments = path.split("/")
    if not path.startswith("/") or "\0" in path:
        raise ProtocolError("malformed path", status=400)
    if ".." in segments or "." in segments:
        raise ProtocolError("a path that goes up", status=403)
    if len(segments) > MOST_SEGMENTS:
        raise ProtocolError("too many segments in the path", status=404)


def check_program(file: str) -> None:
    problem = find_problem(file)
    if problem:
        status = 404 if problem == "it does not exist" else 403
        raise ProtocolError(f"{file}: {problem}", status=status)


def find_problem(file: str) -> str:
    """Why that file cannot be run; "" if it can."""
    try:
        mode = os.stat(encode(file)).st_mode
    except OSError:
        return "it does not exist"
    if not stat.S_ISREG(mode):
        return "it is no regular file"
    return "" if os.access(encode(file), os.X_OK) else "it is not executable"


def is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def find_real(path: str) -> str:
    return decode(os.path.realpath(encode(path)))


def encode(path: str) -> bytes:
    return path.encode("latin-1")


def decode(path: bytes) -> str:
    return path.decode("latin-1")

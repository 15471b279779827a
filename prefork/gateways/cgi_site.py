"""Which program a request means: the path is walked, and the root never left.

Paths are latin-1 text here, as in the variables (PEP 3333): a character a byte.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefork.errors import ConfigError, ProtocolError

MOST_SEGMENTS = 64  # of a path to a program: each costs a look at the file system
MOST_KNOWN = 4096  # programs that need no second look
# Apache says before the file how it came to us: "proxy:fcgi://php//srv/app.php".
PROXIED = re.compile(r"^proxy:(?:fcgi|balancer)://[^/]*/*(?=/)")


@dataclass(frozen=True, slots=True)
class Target:
    """A program, and how the path that led to it is cut."""

    file: str
    script_name: str
    path_info: str
    document_root: str

    @property
    def is_nph(self) -> bool:
        """RFC 3875 5.1: by its name, which begins with "nph-"."""
        return self.file.rpartition("/")[2].startswith("nph-")


class Places:
    """Where programs may be, wherever symbolic links lead; and which were there.

    A file that was found to be a program in its place still is one as long as it has
    the same number and the same ctime, which every change of mode or name moves on:
    1 instead of 50 µs.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed
        self._known: set[tuple[int, int, int]] = set()

    def check(self, file: str, status: os.stat_result) -> None:
        """Raise ProtocolError if it is not to be run."""
        key = (status.st_dev, status.st_ino, status.st_ctime_ns)
        if key in self._known:
            return
        if problem := find_problem(file, status.st_mode):
            raise ProtocolError(f"{file}: {problem}", status=403)
        real = find_real(file)
        if not any(is_inside(real, place) for place in self._allowed):
            raise ProtocolError(f"{file} is not among the allowed", status=403)
        if len(self._known) < MOST_KNOWN:
            self._known.add(key)


class Site:
    """Programs of a directory, or a single one: `root` says which.

    `allowed` are the places that symbolic links may lead to, beside the directory.
    """

    def __init__(self, root: str, allowed: Sequence[str] = ()) -> None:
        self._root = find_place(root)
        self._places = Places([self._root, *map(find_place, allowed)])
        self._is_directory = os.path.isdir(root)
        problem = find_problem(self._root, os.stat(root).st_mode)
        if problem and not self._is_directory:
            raise ConfigError(f"cannot serve {root}: {problem}")

    def find(self, variables: Mapping[str, str]) -> Target:
        """The program that the path leads to; ProtocolError when there is none."""
        prefix, path = variables["SCRIPT_NAME"], variables["PATH_INFO"]
        check_path(path or "/")
        if not self._is_directory:
            return Target(self._root, prefix, path, os.path.dirname(self._root))
        file, rest = walk(self._root, path, self._places)
        name = prefix + path[: len(path) - len(rest)]
        return Target(file, name, rest, self._root)

    def find_mount(self, variables: Mapping[str, str]) -> str:
        """The path of the URL that leads to the root."""
        return variables["SCRIPT_NAME"]


class Wrap:
    """Programs that the front end names, as fcgiwrap serves them.

    That is by SCRIPT_FILENAME, else by DOCUMENT_ROOT with SCRIPT_NAME and PATH_INFO.
    `allowed` are the programs and directories that may be meant; none: all, and of a
    DOCUMENT_ROOT those in it.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = [find_place(path) for path in allowed]
        self._places = Places(self._allowed or ["/"])

    def find(self, variables: Mapping[str, str]) -> Target:
        """The program that is named; ProtocolError when it is not to be run."""
        name, path = variables["SCRIPT_NAME"], variables["PATH_INFO"]
        root = variables.get("DOCUMENT_ROOT", "")
        file = PROXIED.sub("", variables.get("SCRIPT_FILENAME", ""))
        if file:
            check_path(file)
            self._places.check(file, read_status(file))
            name, path = split_at(file, name, path)
            return Target(file, name, path, root or os.path.dirname(file))
        if not root.startswith("/"):
            raise ProtocolError("neither SCRIPT_FILENAME nor DOCUMENT_ROOT", status=403)
        whole = name + path
        check_path(whole)
        places = self._places if self._allowed else Places([find_real(root)])
        file, rest = walk(root, whole, places)
        return Target(file, whole[: len(whole) - len(rest)], rest, root)

    def find_mount(self, variables: Mapping[str, str]) -> str:
        """The path of the URL that leads to DOCUMENT_ROOT."""
        return ""


def find_place(path: str) -> str:
    """The real path of what the settings name; ConfigError if there is nothing."""
    try:
        return decode(os.path.realpath(os.fsencode(path), strict=True))
    except OSError as error:
        raise ConfigError(f"cannot serve {path}: {error.strerror}") from error


def split_at(file: str, name: str, path: str) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO, of a program that a front end names.

    One that says no PATH_INFO, as nginx with its stock parameters, means by all of
    the path SCRIPT_NAME; by now it is taken for PATH_INFO (protocols/target.py).
    """
    program = "/" + os.path.basename(file)
    if name or not f"{path}/".count(f"{program}/"):
        return name, path
    end = f"{path}/".index(f"{program}/") + len(program)
    return path[:end], path[end:]


def walk(root: str, path: str, places: Places) -> tuple[str, str]:
    """The first program on the way from `root` along `path`, and the path's rest.

    `path` is checked.  Symbolic links are followed, as far as `places`.
    """
    place, rest = root, path
    for _ in range(MOST_SEGMENTS):
        segment, slash, beyond = rest[1:].partition("/")
        if not segment:  # "//": no file is called that
            raise ProtocolError(f"{place} is a directory", status=403)
        place, rest = f"{place}/{segment}", slash + beyond
        status = read_status(place)
        if not stat.S_ISDIR(status.st_mode):
            places.check(place, status)
            return place, rest
    raise ProtocolError("too many directories in the path", status=404)


def check_path(path: str) -> None:
    """Raise ProtocolError for one that could lead somewhere else than it says."""
    segments = path.split("/")
    if not path.startswith("/") or "\0" in path:
        raise ProtocolError("malformed path", status=400)
    if ".." in segments or "." in segments:
        raise ProtocolError("a path that goes up", status=403)


def read_status(file: str) -> os.stat_result:
    try:
        return os.stat(encode(file))
    except OSError as error:
        raise ProtocolError(f"{file}: {error.strerror}", status=404) from error


def find_problem(file: str, mode: int) -> str:
    """Why that file cannot be run; "" if it can."""
    if not stat.S_ISREG(mode):
        return "it is no regular file"
    return "" if os.access(encode(file), os.X_OK) else "it is not executable"


def is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def find_real(path: str) -> str:
    """The path without symbolic links, as the kernel knows it: 10 instead of 100 µs
    for os.path.realpath(), which looks at each step of it."""
    try:
        fd = os.open(encode(path), os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise ProtocolError(f"{path}: {error.strerror}", status=404) from error
    try:
        return decode(os.readlink(b"/proc/self/fd/%d" % fd))
    finally:
        os.close(fd)


def encode(path: str) -> bytes:
    return path.encode("latin-1")


def decode(path: bytes) -> str:
    return path.decode("latin-1")


def readable(path: str) -> str:
    """A path for the log: its bytes as UTF-8, those that are not as \\xNN."""
    try:
        return path.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return path  # words of the system among it, in its own language

"""Where the watcher begins, the child of a master that reloads on change.

    python -P -m prefork.cli.watch MASTER GATEWAY ARGUMENTS

Their channel is descriptor 3.  The master says what to watch, and since when; it is
told, a second after the first change, what has changed until then.  A file that was
written after it was imported, and before it was watched, is known by its ctime.
"""

import glob
import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from setproctitle import setproctitle
from watchfiles import watch

from prefork.config.file import FILE, PYPROJECT
from prefork.config.options import parse_arguments
from prefork.errors import EXIT_OK
from prefork.settings.gateways import GATEWAYS
from prefork.system import home
from prefork.system.channel import Channel, adopt
from prefork.system.processes import die_with

CHANNEL = 3
GATHER = 1.0  # seconds: who saves two files within it wants one reload
TURN = 200  # milliseconds between two looks at the channel
MOST_NAMED = 5  # files in a message


def main() -> int:
    """Watch until the master is gone."""
    channel = adopt(CHANNEL)
    os.set_inheritable(CHANNEL, False)
    if not die_with(int(sys.argv[1]), signal.SIGKILL):
        return EXIT_OK
    setproctitle("prefork: watcher")
    home.enter()
    gateway, *arguments = sys.argv[2:]
    prog = GATEWAYS[gateway].prog
    named = parse_arguments(arguments, prog=prog, gateway=gateway).get("config")
    names = [named] if named else [FILE, PYPROJECT]
    FileWatch(channel, configuration=[os.path.abspath(name) for name in names]).run()
    return EXIT_OK


class FileWatch:
    """What is watched, and what has changed so far."""

    def __init__(self, channel: Channel, *, configuration: list[str]) -> None:
        self._channel = channel
        self._configuration = configuration
        self._sources: list[str] = []
        self._globs: list[str] = []
        self._extra: set[str] = set()  # the files that the globs stand for
        self._since = 0.0  # Unix time
        self._known: dict[str, float] = {}  # path → ctime at which it was gathered
        self._changed: set[str] = set()
        self._tell_at = 0.0

    def run(self) -> None:
        while self._learn():
            self._watch()

    def _learn(self) -> bool:
        """Wait to be told what to watch; False: the master is gone."""
        message = self._channel.wait()
        if message is not None:
            self._sources = message.fields["directories"]
            self._globs = message.fields["globs"]
            self._since = message.fields["since"]
            self._extra = self._find_extra()
        return message is not None

    def _watch(self) -> None:
        """Until there is something else to watch."""
        turns = watch(
            *self._directories(),
            watch_filter=None,
            recursive=False,
            step=50,
            debounce=TURN,
            rust_timeout=TURN,
            yield_on_timeout=True,
        )
        overlooked = self._find_overlooked()  # taken when the watch has begun
        for changes in turns:
            self._gather([*overlooked, *(path for _, path in changes)])
            self._tell()
            if select.select([self._channel], [], [], 0)[0]:
                return

    def _find_overlooked(self) -> Iterator[str]:
        """What has changed since the import, but before the watch began."""
        sources = (entry.path for each in self._sources for entry in _list(each))
        for path in (*self._configuration, *self._extra, *sources):
            changed_at = _changed_at(path)
            if changed_at > max(self._since, self._known.get(path, 0.0)):
                yield path

    def _directories(self) -> Iterator[str]:
        """Directories, because most editors replace a file instead of writing it."""
        files = [*self._configuration, *self._extra, *map(_beginning, self._globs)]
        wanted = [*self._sources, *(os.path.dirname(file) for file in files)]
        return filter(os.path.isdir, dict.fromkeys(wanted))

    def _gather(self, paths: Iterable[str]) -> None:
        changed = set(paths)
        if not changed:
            return
        extra = self._find_extra()
        known = {*self._configuration, *self._extra, *extra}
        self._extra = extra
        changed = {path for path in changed if path in known or self._is_source(path)}
        if changed and not self._changed:
            self._tell_at = time.monotonic() + GATHER
        self._changed |= changed
        self._known |= {path: _changed_at(path) for path in changed}

    def _find_extra(self) -> set[str]:
        return {
            os.path.abspath(path)
            for pattern in self._globs
            for path in glob.iglob(pattern, recursive=True)
        }

    def _is_source(self, path: str) -> bool:
        directory, name = os.path.split(path)
        # A leading dot: a lock or a copy that an editor makes.
        is_python = name.endswith(".py") and not name.startswith(".")
        return is_python and directory in self._sources

    def _tell(self) -> None:
        if self._changed and time.monotonic() >= self._tell_at:
            some = sorted(self._changed)[:MOST_NAMED]
            files = ", ".join(map(os.path.relpath, some))
            self._channel.send("changed", files=files, count=len(self._changed))
            self._changed = set()


def _list(directory: str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(directory) as entries:
        return list(entries)
    return []


def _changed_at(path: str) -> float:
    """Not the time of modification, which a copy may have from its original."""
    with suppress(OSError):
        return os.stat(path).st_ctime
    return 0.0


def _beginning(pattern: str) -> str:
    """What of a glob is the name of a directory: `/a/b/*.css` gives `/a/b/`."""
    literal = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    return os.path.abspath(os.path.dirname(literal)) + os.sep


if __name__ == "__main__":
    sys.exit(main())

"""Ask prefork-cgi, fcgiwrap, Apache and lighttpd what CGI programs want, side by side.

    python tests/cgi_matrix.py [--markdown]

The questions, with the right answers, are in serving/cgi_questions.py; a server that is
not installed is left out, and said.  Exit 1 unless prefork-cgi has them all right.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.path.insert(0, str(Path(__file__).parents[1]))

from serving.browser import Browser
from serving.cgi_questions import QUESTIONS, SILENCE, answer_of
from serving.eventually import eventually
from serving.front_end import FrontEnd
from serving.make import SBIN, Make
from serving.makes.apache import APACHE
from serving.makes.apache import AROUND as AROUND_APACHE
from serving.makes.lighttpd import AROUND as AROUND_LIGHTTPD
from serving.makes.lighttpd import LIGHTTPD
from serving.makes.nginx import NGINX
from serving.pool import Pool
from versus.table import format_markdown, format_plain

MODULES = "mpm_event authz_core cgid alias"
Open = Callable[[Path], AbstractContextManager[Browser]]


class Direct(Browser):
    """A client of prefork-cgi itself."""

    def __init__(self, port: int) -> None:
        self.port = port


@contextmanager
def open_prefork(*arguments: str, app: str, bind: str) -> Iterator[Pool]:
    pool = Pool()
    words = ("-w", "2", "--cgi-timeout", f"{SILENCE}", "--socket-mode", "666")
    try:
        pool.start(*words, *arguments, app=app, bind=bind, program="prefork.cli.cgi")
        yield pool
    finally:
        pool.clean_up()


@contextmanager
def open_direct(place: Path) -> Iterator[Browser]:
    mount = ("--script-name", "/cgi-bin")
    with open_prefork(*mount, app=str(place), bind="127.0.0.1:0") as pool:
        yield Direct(pool.port)


@contextmanager
def open_wrap(place: Path) -> Iterator[Browser]:
    sock = place.parent / "wrap.sock"
    with (
        open_prefork("--wrap", app="", bind=f"fastcgi+unix:{sock}"),
        FrontEnd(serving_from(place.parent), "cgi", f"unix:{sock}") as front,
    ):
        yield front


@contextmanager
def open_fcgiwrap(place: Path) -> Iterator[Browser]:
    sock = place.parent / "fcgiwrap.sock"
    program = str(shutil.which("fcgiwrap", path=SBIN))
    wrapper = subprocess.Popen(
        [program, "-c", "8", "-s", f"unix:{sock}"],  # some of which will hang
        umask=0,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(sock.exists)
        with FrontEnd(serving_from(place.parent), "cgi", f"unix:{sock}") as front:
            yield front
    finally:
        os.killpg(wrapper.pid, signal.SIGKILL)  # its children outlive it
        wrapper.wait()


def serving_from(root: Path) -> Make:
    """nginx with contrib's snippet, for programs in `root`/cgi-bin."""

    def configure(directory: Path, snippet: str, place: str, port: int) -> str:
        snippet = snippet.replace("root /usr/lib;", f"root {root};")
        snippet = snippet.replace(
            "fastcgi_read_timeout 65s;", "fastcgi_read_timeout 5s;"
        )
        return NGINX.configure(directory, snippet, place, port)

    return replace(NGINX, configure=configure)


@contextmanager
def open_apache(place: Path) -> Iterator[Browser]:
    def configure(directory: Path, snippet: str, root: str, port: int) -> str:
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in MODULES.split()
        )
        snippet = (
            f"ScriptSock {directory}/cgid.sock\n"
            f"CGIDScriptTimeout {SILENCE:.0f}\n"
            f'ScriptAlias "/cgi-bin/" "{root}/"\n'
            f'<Directory "{root}">\nRequire all granted\n</Directory>\n'
        )
        return AROUND_APACHE.format(
            directory=directory, modules=modules, port=port, snippet=snippet
        )

    with FrontEnd(replace(APACHE, configure=configure), "cgi", str(place)) as front:
        yield front


@contextmanager
def open_lighttpd(place: Path) -> Iterator[Browser]:
    def configure(directory: Path, snippet: str, root: str, port: int) -> str:
        limits = f'"read-timeout" => {SILENCE:.0f}, "signal-timeout" => "SIGTERM"'
        snippet = (
            'server.modules += ( "mod_alias", "mod_cgi" )\n'
            f'alias.url = ( "/cgi-bin/" => "{root}/" )\n'
            'cgi.assign = ( "" => "" )\ncgi.local-redir = "enable"\n'
            f'cgi.limits = ( {limits}, "tcp-fin-propagate" => "SIGTERM" )\n'
        )
        return AROUND_LIGHTTPD.format(directory=directory, port=port, snippet=snippet)

    with FrontEnd(replace(LIGHTTPD, configure=configure), "cgi", str(place)) as front:
        yield front


COLUMNS: dict[str, tuple[Open, tuple[str, ...]]] = {  # and the programs that it needs
    "prefork-cgi": (open_direct, ()),
    "prefork-cgi --wrap (nginx)": (open_wrap, ("nginx",)),
    "fcgiwrap (nginx)": (open_fcgiwrap, ("nginx", "fcgiwrap")),
    "Apache mod_cgid": (open_apache, ("apache2",)),
    "lighttpd mod_cgi": (open_lighttpd, ("lighttpd",)),
}


def fill(column: str, open_server: Open) -> list[str]:
    """The answers of one server."""
    with tempfile.TemporaryDirectory(prefix="cgi-") as directory:
        root = Path(directory)
        root.chmod(0o777)
        place = root / "cgi-bin"
        place.mkdir()
        place.chmod(0o1777)
        with open_server(place) as browser:
            cells = []
            for question in QUESTIONS:
                answer = answer_of(question, browser, place)
                cells.append(f"{'✓' if answer == question.right else '✗'} {answer}")
                print(f"{column:28} {question.name:32} {cells[-1]}", file=sys.stderr)
    return cells


def main() -> int:
    columns = {}
    for name, (open_server, programs) in COLUMNS.items():
        if missing := [each for each in programs if not shutil.which(each, path=SBIN)]:
            print(f"left out: {name} ({', '.join(missing)} not installed)")
        else:
            columns[name] = fill(name, open_server)
    names = [question.name for question in QUESTIONS]
    rows = list(zip(names, *columns.values(), strict=True))
    is_for_readers = "--markdown" in sys.argv[1:]
    head = ("a program", *columns)
    print(
        format_markdown(head, rows)
        if is_for_readers
        else format_plain(head, rows, width=150)
    )
    ours = [cell for name in columns if "prefork" in name for cell in columns[name]]
    return int(any(cell.startswith("✗") for cell in ours))


if __name__ == "__main__":
    sys.exit(main())

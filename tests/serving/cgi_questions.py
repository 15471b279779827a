"""What CGI programs do that servers answer in different ways, and the right answer.

Each question is a program below /cgi-bin/, and how it is asked; the answer is a few
words.  tests/cgi/test_matrix.py asks prefork-cgi, tests/cgi_matrix.py others as well.
"""

import http.client
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from serving.browser import Browser
from serving.eventually import PATIENCE

OK = "echo 'Content-Type: text/plain'; echo"
SILENCE = 2.0 * PATIENCE  # seconds after which the servers should end a program
PYTHON = "#!/usr/bin/python3 -IS"
BODY = b"y" * 1_000_000

Ask = Callable[[Browser, Path], str]


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    program: str  # the file `a`; "": there is none
    right: str
    ask: Ask
    mode: int = 0o755


def get(target: str = "/cgi-bin/a", *fields: tuple[str, str]) -> Ask:
    """Ask for it; the status, and a short body or a Location."""

    def ask(browser: Browser, place: Path) -> str:
        answer = browser.get(target, *fields)
        where = answer.headers["Location"] or ""
        where = where.removeprefix(f"http://127.0.0.1:{browser.port}")
        text = answer.body.decode() if answer.status < 300 else where
        return f"{answer.status} {' '.join(text.split())[:40]}".rstrip()

    return ask


def post(browser: Browser, place: Path) -> str:
    answer = browser.post("/cgi-bin/a", BODY)
    last = answer.body.split(b"\n")[-2].decode()
    return f"{answer.status} {len(answer.body)} {last}"


def ask_and_time(browser: Browser, place: Path) -> str:
    before = time.monotonic()
    answer = browser.get("/cgi-bin/a")
    when = "at once" if time.monotonic() - before < 5 else "late"
    return f"{answer.status} {when}"


def ask_and_wait(browser: Browser, place: Path) -> str:
    status = browser.get("/cgi-bin/a").status
    return f"{status}, {see_end(place)}"


def ask_and_leave(browser: Browser, place: Path) -> str:
    with closing(browser.connect()) as connection:
        connection.request("GET", "/cgi-bin/a")
        read_pid(place)
    return see_end(place)


def read_pid(place: Path) -> int:
    """Of the program, once it runs."""
    for _ in range(500):
        try:
            return int((place / "pid").read_text())
        except (OSError, ValueError):
            time.sleep(0.01)
    raise ProcessLookupError("the program does not run")


def see_end(place: Path) -> str:
    pid, give_up = read_pid(place), time.monotonic() + 1.5 * PATIENCE
    while time.monotonic() < give_up:
        if not os.path.exists(f"/proc/{pid}"):
            return "ended"
        time.sleep(0.02)
    return "lives on"


QUESTIONS = [
    Question(
        "its own status",
        f"#!/bin/sh\necho 'Status: 404 Not Here'; {OK}",
        "404",
        get(),
    ),
    Question(
        "lines that end in CRLF",
        f"{PYTHON}\nprint('Content-Type: text/plain\\r\\n\\r\\nok')",
        "200 ok",
        get(),
    ),
    Question(
        "`Location: /x` alone",
        "#!/bin/sh\necho 'Location: /cgi-bin/there/it?a=b'; echo",
        "200 there /it a=b",
        get(),
    ),
    Question(
        "`Location: /x` and a document",
        "#!/bin/sh\necho 'Location: /cgi-bin/there'; echo; echo text",
        "302 /cgi-bin/there",
        get(),
    ),
    Question(
        "`Location: http://…`",
        "#!/bin/sh\necho 'Location: http://example.org/'; echo",
        "302 http://example.org/",
        get(),
    ),
    Question(
        "an `nph-` program",
        "#!/bin/sh\nprintf 'HTTP/1.0 202 Nph\\r\\nX-A: b\\r\\n\\r\\nbody'",
        "202 body",
        get("/cgi-bin/nph-a"),
    ),
    Question("output without a head", "#!/bin/sh\necho text", "500", get()),
    Question("no output", "#!/bin/sh\n", "500", get()),
    Question("exit 1 without output", "#!/bin/sh\nexit 1", "500", get()),
    Question(
        "exit 1 after output", f"#!/bin/sh\n{OK}; echo half; exit 1", "200 half", get()
    ),
    Question(
        "1 MB that it does not read",
        f"#!/bin/sh\n{OK}; echo not read",
        "200 9 not read",
        post,
    ),
    Question(
        "300 KB before it reads 1 MB",
        f"{PYTHON}\nimport sys\n"
        "sys.stdout.write('Content-Type: a/b\\n\\n' + 'x' * 300000 + '\\n')\n"
        "sys.stdout.flush()\nprint(len(sys.stdin.buffer.read()))",
        "200 300009 1000000",
        post,
    ),
    Question("an interpreter that is missing", "#!/no/such/thing\n", "500", get()),
    Question("a file that cannot be run", f"#!/bin/sh\n{OK}", "403", get(), mode=0o644),
    Question("a file that is missing", "", "404", get()),
    Question(
        f"silent for {SILENCE:g} s",
        '#!/bin/sh\necho $$ >"${0%/*}/pid"; exec sleep 30',
        "504, ended",
        ask_and_wait,
    ),
    Question(
        "the client leaves",
        '#!/bin/sh\necho $$ >"${0%/*}/pid"; exec sleep 30',
        "ended",
        ask_and_leave,
    ),
    Question(
        "a child keeps stdout open",
        f"#!/bin/sh\n{OK}; echo done; sleep 8 &",
        "200 at once",
        ask_and_time,
    ),
    Question(
        "`Proxy:` in the request",
        f'#!/bin/sh\n{OK}; echo "${{HTTP_PROXY-none}}"',
        "200 none",
        get("/cgi-bin/a", ("Proxy", "http://evil")),
    ),
    Question(
        "%2F in the path",
        f'#!/bin/sh\n{OK}; echo "$PATH_INFO"',
        "200 /b/c",
        get("/cgi-bin/a/b%2Fc"),
    ),
    Question(
        "search words",
        f'#!/bin/sh\n{OK}; for word; do echo "<$word>"; done',
        "200 <is> <index w>",
        get("/cgi-bin/a?is+index%20w"),
    ),
]
THERE = f'#!/bin/sh\n{OK}; echo "there $PATH_INFO $QUERY_STRING"'


def prepare(question: Question, place: Path) -> None:
    """Put its program into `place`, where programs of anybody may write."""
    for name in ("a", "nph-a", "there", "pid"):
        (place / name).unlink(missing_ok=True)
    write(place / "there", THERE, 0o755)
    for name in ("a", "nph-a") if question.program else ():
        write(place / name, question.program, question.mode)


def write(path: Path, text: str, mode: int) -> None:
    path.write_text(f"{text}\n")
    path.chmod(mode)


def answer_of(question: Question, browser: Browser, place: Path) -> str:
    """Ask; what came of it, in a few words."""
    prepare(question, place)
    try:
        return question.ask(browser, place)
    except TimeoutError:
        return "hangs"
    except (OSError, http.client.HTTPException):
        return "cut"

"""The CGI gateway with real programs, short ones in sh and Python.

Behaviours of RFC 3875, and what other implementations get wrong.
"""

import io
import os
import select
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import eventually

from prefork.errors import ClientGone
from prefork.gateways.cgi import Cgi
from prefork.gateways.cgi_site import Site
from prefork.protocols.request import Headers, Request
from prefork.system import program
from prefork.system.scratch import open_scratch

pytestmark = pytest.mark.process

# What a program waits for until the first of its answer has been sent.
UNTIL_BEGUN = "until [ -e begun ]; do sleep 0.02; done"
VARIABLES = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/a.cgi",
    "QUERY_STRING": "",
    "REQUEST_URI": "/a.cgi",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "192.0.2.1",
}


class Recorder:
    """A reply that keeps what it was told, and a client that can leave."""

    def __init__(self, begun: Path) -> None:
        self.ours, self.client = socket.socketpair()
        self._begun = begun  # a file for the program to see
        self.started = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.is_complete = False
        self.is_aborted = False
        self.complaints = b""
        self.exit_status = 0
        self.wants = 0  # POLLOUT: something waits to be flushed
        self.is_web_servers = False  # who words the answer itself

    def send(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> None:
        assert not self.started
        self.started = True
        self.status, self.headers, self.body = status, list(headers), chunk
        self.is_complete = complete
        self._begun.touch()

    def send_file(self, *_: object) -> bool:
        return False

    def write(self, chunk: bytes) -> None:
        assert self.started and not self.is_complete
        self.body += chunk

    def end(self) -> None:
        self.is_complete = True

    def complain(self, text: bytes) -> None:
        self.complaints += text

    def fail(self, text: bytes, *, status: int = 1) -> None:
        self.complaints += text
        self.exit_status = status

    lull = 0.0
    is_full = False
    patience = 5.0

    def pass_on(self, status: str, headers: Headers, response: bytes) -> bool:
        if self.is_web_servers:
            return False
        self.send(status, headers, response, complete=False)
        return True

    def abort(self) -> None:
        self.is_aborted = True

    def watch(self) -> tuple[int, int]:
        return self.ours.fileno(), select.POLLRDHUP | self.wants

    def hear(self, events: int) -> None:
        if events & ~select.POLLOUT:
            raise ClientGone("the client left")
        self.wants = 0


class Bench:
    """A directory of programs, and a gateway that runs them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.reply = Recorder(root / "begun")
        self.patience = 5.0
        self.limits: dict[int, int] = {}
        self.pids: list[int] = []

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def sh(self, text: str, *, name: str = "a.cgi") -> Path:
        return self.write(name, f"#!/bin/sh\n{text}\n")

    def python(self, text: str, *, name: str = "a.cgi") -> Path:
        return self.write(name, f"#!{sys.executable} -IS\nimport sys, os\n{text}\n")

    def ask(self, path: str = "/a.cgi", body: bytes = b"", **more: str) -> Recorder:
        variables = {**VARIABLES, "PATH_INFO": path, **more}
        if body:
            variables["CONTENT_LENGTH"] = str(len(body))
        whole: Any = object() if body else None
        request = Request(variables, body=whole, rest=b"", keep_alive=False)
        self.gateway()(request, io.BytesIO(body), self.reply)
        return self.reply

    def gateway(self) -> Cgi:
        return Cgi(
            Site(str(self.root)),
            start=program.start,
            open_scratch=open_scratch,
            complain=lambda event, **fields: self.said.append((event, fields)),
            runs=self.pids.append,
            alive=lambda seconds: None,
            patience=self.patience,
            extra={},
            limits=self.limits,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)  # and back: a worker goes where its program is
    bench = Bench(tmp_path)
    yield bench
    bench.reply.ours.close()
    bench.reply.client.close()


def is_gone(pid: int) -> Callable[[], bool]:
    return lambda: not os.path.exists(f"/proc/{pid}")


def test_a_document_comes_with_its_status_and_its_length(bench: Bench) -> None:
    bench.sh("echo 'Status: 404 Not Here'; echo 'Content-Type: x/y'; echo; echo nf")
    reply = bench.ask()
    assert (reply.status, reply.body) == ("404 Not Here", b"nf\n")
    assert reply.headers == [("Content-Type", "x/y")]
    assert reply.is_complete


def test_a_program_that_writes_before_it_reads_does_not_hang(bench: Bench) -> None:
    bench.python(
        "sys.stdout.write('Content-Type: a/b\\n\\n' + 'x' * 300000)\n"
        "sys.stdout.flush()\n"
        "print(len(sys.stdin.buffer.read()))"
    )
    reply = bench.ask(body=b"y" * (1 << 20), REQUEST_METHOD="POST")
    assert reply.body == b"x" * 300000 + b"1048576\n"


def test_a_program_that_never_reads_its_body_answers(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; echo ok")
    assert bench.ask(body=b"y" * (1 << 20), REQUEST_METHOD="POST").body == b"ok\n"


def test_a_child_that_holds_the_output_is_not_waited_for(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; echo ok; (sleep 30; echo late) &")
    before = time.monotonic()
    assert bench.ask().body == b"ok\n"
    assert time.monotonic() - before < 15


def test_a_silent_program_is_ended_with_all_its_children(bench: Bench) -> None:
    bench.patience = 3.0  # until when it has to have written that
    bench.sh(f"trap '' TERM; sleep 60 & echo $$ $! > {bench.root}/pids; wait; wait")
    assert bench.ask().status == "504 Gateway Timeout"
    for pid in (bench.root / "pids").read_text().split():
        eventually(is_gone(int(pid)))


def test_a_program_that_stays_after_its_answer_is_ended(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; echo all; exec >&- 2>&-; sleep 60")
    assert bench.ask().body == b"all\n"
    eventually(is_gone(bench.pids[0]))
    event, fields = bench.said[-1]
    assert (event, fields["cause"]) == ("program failed", "SIGTERM")


def test_the_program_of_a_client_that_left_is_ended(bench: Bench) -> None:
    bench.sh(f"echo $$ > {bench.root}/pid; exec sleep 60")
    pid = bench.root / "pid"

    def leave() -> None:
        eventually(lambda: pid.exists() and pid.read_text())
        bench.reply.client.close()

    client = threading.Thread(target=leave)
    client.start()
    with pytest.raises(ClientGone):
        bench.ask()
    client.join()
    eventually(is_gone(int(pid.read_text())))


def test_a_local_redirect_is_followed_inside(bench: Bench) -> None:
    bench.sh("echo 'Location: /b.cgi/x?y'; echo")
    bench.sh("echo 'Content-Type: a/b'; echo; env", name="b.cgi")
    reply = bench.ask()
    assert reply.status == "200 OK"
    assert b"PATH_INFO=/x\n" in reply.body and b"QUERY_STRING=y\n" in reply.body


def test_the_path_of_a_local_redirect_is_decoded(bench: Bench) -> None:
    bench.sh("echo 'Location: /b.cgi/a%20b%2Fc?d%20e=f'; echo")
    told = 'echo "$PATH_INFO|$QUERY_STRING"'
    bench.sh(f"echo 'Content-Type: a/b'; echo; {told}", name="b.cgi")
    assert bench.ask().body == b"/a b/c|d%20e=f\n"


def test_a_local_redirect_to_no_program_goes_to_the_client(bench: Bench) -> None:
    bench.sh("echo 'Location: /page.html'; echo")
    reply = bench.ask()
    assert (reply.status, reply.body) == ("302 Found", b"")
    assert reply.headers == [("Location", "/page.html")]


def test_local_redirects_in_a_circle_end(bench: Bench) -> None:
    bench.sh("echo 'Location: /a.cgi'; echo")
    assert bench.ask().status == "500 Internal Server Error"
    assert bench.said[-1][1]["reason"] == "too many local redirects"


def test_the_program_of_a_local_redirect_gets_no_body(bench: Bench) -> None:
    bench.sh("cat >/dev/null; echo 'Location: /b.cgi'; echo")
    told = 'echo "$REQUEST_METHOD"; wc -c'
    bench.sh(f"echo 'Content-Type: a/b'; echo; {told}", name="b.cgi")
    assert bench.ask(body=b"abc", REQUEST_METHOD="POST").body == b"GET\n0\n"


def test_who_runs_is_told_and_that_nobody_does(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; echo $$")
    pid = int(bench.ask().body)
    assert bench.pids == [pid, 0]


def test_a_redirect_with_a_document_goes_to_the_client(bench: Bench) -> None:
    bench.sh("echo 'Location: /b.cgi'; echo; echo there")
    reply = bench.ask()
    assert (reply.status, reply.body) == ("302 Found", b"there\n")


NPH = "HTTP/1.0 202 Nph\\r\\nX-A: b\\r\\n"


def test_what_an_nph_program_writes_is_the_response(bench: Bench) -> None:
    bench.sh(f"printf '{NPH}\\r\\nbody'", name="nph-a.cgi")
    reply = bench.ask("/nph-a.cgi")
    assert reply.status == "202 Nph"
    assert reply.body == b"HTTP/1.0 202 Nph\r\nX-A: b\r\n\r\nbody"
    assert reply.is_complete


def test_a_web_server_gets_the_status_of_an_nph_program(bench: Bench) -> None:
    bench.reply.is_web_servers = True
    bench.sh(f"printf '{NPH}\\r\\nbody'", name="nph-a.cgi")
    reply = bench.ask("/nph-a.cgi")
    assert (reply.status, reply.body) == ("202 Nph", b"body")
    assert reply.headers == [("X-A", "b")]


CHUNKED = f"{NPH}Transfer-Encoding: chunked\\r\\nContent-Length: 9\\r\\n\\r\\n"


def test_chunks_of_a_program_are_no_part_of_the_document(bench: Bench) -> None:
    bench.reply.is_web_servers = True
    bench.sh(
        f"printf '{CHUNKED}3\\r\\nabc\\r\\n2'; sleep 0.2;"
        "printf '\\r\\nde\\r\\n0\\r\\n\\r\\n'",
        name="nph-a.cgi",
    )
    reply = bench.ask("/nph-a.cgi")
    assert reply.body == b"abcde" and reply.is_complete
    assert reply.headers == [("X-A", "b")]


@pytest.mark.parametrize(
    ("text", "status", "is_aborted"),
    [
        ("no chunks at all", "500 Internal Server Error", False),
        ("3\\r\\n", "500 Internal Server Error", False),
        (f"3\\r\\nabc\\r\\n'; {UNTIL_BEGUN}; printf 'oops\\r\\n", "202 Nph", True),
        (f"3\\r\\nabc\\r\\n'; {UNTIL_BEGUN}; printf '", "202 Nph", True),
    ],
)
def test_chunks_that_are_none_are_no_answer(
    bench: Bench, text: str, status: str, is_aborted: bool
) -> None:
    bench.reply.is_web_servers = True
    bench.sh(f"printf '{CHUNKED}{text}'", name="nph-a.cgi")
    reply = bench.ask("/nph-a.cgi")
    assert (reply.status, reply.is_aborted) == (status, is_aborted)
    assert "said to be in chunks" in bench.said[-1][1]["reason"]


@pytest.mark.parametrize(
    "text", ["Content-Type: a/b\\n\\nx", "junk\\nHTTP/1.1 200\\n\\n"]
)
def test_an_nph_program_that_begins_with_something_else_has_not_answered(
    bench: Bench, text: str
) -> None:
    bench.sh(f"printf '{text}'", name="nph-a.cgi")
    assert bench.ask("/nph-a.cgi").status == "500 Internal Server Error"
    assert bench.said[-1][0] == "cannot answer"


@pytest.mark.parametrize(
    "text", ["echo just text", "exit 1", "true", "echo 'A b: c'; echo", "kill -9 $$"]
)
def test_what_is_no_answer_is_a_500_with_its_reason_logged(
    bench: Bench, text: str
) -> None:
    bench.sh(text)
    assert bench.ask().status == "500 Internal Server Error"
    assert "cannot answer" in [event for event, _ in bench.said]


def test_a_program_finds_signals_session_and_descriptors_clean(bench: Bench) -> None:
    bench.python(
        "print('Content-Type: text/plain\\n')\n"
        "import os\n"
        "text = open('/proc/self/status').read()\n"
        "masks = dict(l.split(':') for l in text.splitlines() if l[:3] == 'Sig')\n"
        "print(int(masks['SigBlk'], 16), int(masks['SigIgn'], 16) & 0x7fffffff)\n"
        "print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4])\n"
        "print(os.getsid(0) == os.getpid() == os.getpgid(0))\n"
        "print(os.getcwd())\n"
    )
    # Python itself ignores PIPE and XFSZ; 32 and 33 are libc's own.
    ignored = (1 << 12) | (1 << 24)
    assert bench.ask().body.decode().splitlines() == [
        f"0 {ignored}",
        "[0, 1, 2, 3]",
        "True",
        str(bench.root),
    ]


def test_the_environment_is_the_request_and_nothing_else(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; env")
    reply = bench.ask(
        "/a.cgi/p%q", LD_PRELOAD="/x.so", HTTP_PROXY="http://evil", HTTP_X_Y="\xe9"
    )
    names = {line.partition(b"=")[0] for line in reply.body.splitlines()}
    assert {b"PATH", b"HTTP_X_Y", b"PATH_TRANSLATED", b"SCRIPT_FILENAME"} <= names
    assert not names & {b"LD_PRELOAD", b"HTTP_PROXY", b"HOME", b"RAW_URI"}
    assert b"HTTP_X_Y=\xe9\n" in reply.body


def test_search_words_become_arguments(bench: Bench) -> None:
    bench.sh('echo "Content-Type: a/b"; echo; for word; do echo "$word"; done')
    assert bench.ask(QUERY_STRING="is+index%20w").body == b"is\nindex w\n"


def test_a_program_with_limits_that_cannot_be_started_is_a_500(bench: Bench) -> None:
    import resource

    bench.limits = {resource.RLIMIT_NOFILE: 17}
    bench.write("a.cgi", "#!/no/such/thing\n")
    assert bench.ask().status[:3] == "500"
    assert "cannot start" in bench.said[-1][1]["reason"]


def test_limits_are_set_for_the_program_alone(bench: Bench) -> None:
    import resource

    bench.limits = {resource.RLIMIT_NOFILE: 17}
    bench.sh("ulimit -n >&2; echo 'Content-Type: a/b'; echo; echo $$ $(ps -o sid= $$)")
    pid, session = bench.ask().body.split()
    assert pid == session
    assert bench.said[-1][1]["text"] == "17"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 17


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/missing.cgi", "404"),
        ("/plain.txt", "403"),
        ("/sub", "403"),
        ("/sub/../a.cgi", "403"),
        ("/a.cgi\0", "400"),
        ("/out.cgi", "403"),
        ("/fifo", "403"),
        ("/" + "x/" * 100, "404"),
    ],
)
def test_a_path_that_leads_to_no_program_is_refused(
    bench: Bench, path: str, status: str
) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo")
    (bench.root / "plain.txt").write_text("")
    (bench.root / "sub").mkdir()
    (bench.root / "out.cgi").symlink_to("/bin/true")
    os.mkfifo(bench.root / "fifo")
    assert stat.S_ISFIFO((bench.root / "fifo").stat().st_mode)
    assert bench.ask(path).status.startswith(status)


def test_stderr_is_logged(bench: Bench) -> None:
    bench.sh("echo oops >&2; echo 'Content-Type: a/b'; echo; echo ok; exit 3")
    assert bench.ask().body == b"ok\n"
    events = dict(bench.said)
    assert events["program says"]["text"] == "oops"
    assert events["program failed"]["cause"] == "exit code 3"
    assert bench.reply.exit_status == 3
    assert b"exit code 3" in bench.reply.complaints


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40")])
@pytest.mark.parametrize(
    ("more", "status"), [("", "500"), (f"echo; echo half; {UNTIL_BEGUN};", "200")]
)
def test_what_a_program_wrote_that_was_killed_is_not_whole(
    bench: Bench, number: int, name: str, more: str, status: str
) -> None:
    bench.sh(f"echo 'Content-Type: a/b'; {more} kill -{number} $$")
    reply = bench.ask()
    assert reply.status[:3] == status
    assert reply.is_aborted == bool(more) and reply.is_complete == (not more)
    assert reply.exit_status == 128 + number
    fields = dict(bench.said)["program failed"]
    assert (fields["cause"], fields["method"]) == (name, "GET")
    assert (fields["file"], fields["path"]) == (f"{bench.root}/a.cgi", "/a.cgi")
    assert dict(bench.said)["cannot answer"]["reason"].endswith(f"ended by {name}")


def test_an_exit_code_after_the_answer_leaves_it_whole(bench: Bench) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; echo all; sleep 0.2; exit 3")
    reply = bench.ask()
    assert (reply.body, reply.is_complete, reply.is_aborted) == (b"all\n", True, False)


def test_names_are_logged_as_they_are_written(bench: Bench) -> None:
    bench.sh("echo oops >&2", name="gr\xfc\xdfe.cgi")
    path = "/gr\xfc\xdfe.cgi".encode().decode("latin-1")
    assert bench.ask(path).status[:3] == "500"
    for _, fields in bench.said:
        assert "gr\xfc\xdfe.cgi" in fields.get("file", fields.get("reason", ""))
    assert bench.said[-1][1]["path"] == "/gr\xfc\xdfe.cgi"


def test_a_name_that_is_no_text_is_escaped(bench: Bench) -> None:
    bench.ask("/\xfc.cgi")
    assert bench.said[-1][1]["path"] == "/\\xfc.cgi"


def test_what_waits_for_a_slow_client_leaves_while_the_program_is_silent(
    bench: Bench,
) -> None:
    bench.sh("echo 'Content-Type: a/b'; echo; sleep 0.2; echo ok")
    bench.reply.wants = select.POLLOUT
    assert bench.ask().body == b"ok\n"
    assert not bench.reply.wants


def test_much_on_stderr_blocks_nobody(bench: Bench) -> None:
    bench.python(
        "sys.stderr.write('e' * 300000)\n"
        "print('Content-Type: a/b\\n\\nok')\n"
        "sys.stderr.write('e' * 300000)"
    )
    assert bench.ask().body == b"ok\n"
    said = [len(f["text"]) for event, f in bench.said if event == "program says"]
    assert sum(said) == 600000


def test_much_on_stderr_after_the_answer_is_heard_to_its_end(bench: Bench) -> None:
    bench.python(
        "print('Content-Type: a/b\\n\\nok', flush=True)\n"
        "os.close(1)\n"
        "os.write(2, b'e' * 300000)\n"
        "os._exit(3)"
    )
    assert bench.ask().body == b"ok\n"
    said = [len(f["text"]) for event, f in bench.said if event == "program says"]
    assert sum(said) == 300000
    assert dict(bench.said)["program failed"]["cause"] == "exit code 3"

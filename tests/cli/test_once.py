"""`prefork-wsgi --once`: a CGI program, started for one request."""

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from serving import Server

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "programs"
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "QUERY_STRING": "",
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/cgi-bin/app",
    "SERVER_NAME": "a.test",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "test",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program left: its exit status, and what it wrote."""

    exit_status: int
    head: dict[str, str]
    body: bytes
    log: str


def run(
    path: str = "/",
    *arguments: str,
    app: str = "app:wsgi",
    body: bytes = b"",
    cwd: Path = PROGRAMS,
    stdin: int | None = None,
    **variables: str | bytes,
) -> Ended:
    """Start it as a web server would."""
    target, _, query = path.partition("?")
    request = {**REQUEST, "PATH_INFO": target, "QUERY_STRING": query}
    if body:
        request |= {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body))}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", "prefork.cli.wsgi", *arguments, app],
        env={**environment, **request, **variables},
        cwd=cwd,
        capture_output=True,
        timeout=30,
        **({"input": body} if stdin is None else {"stdin": stdin}),  # type: ignore
    )
    head, _, rest = ended.stdout.partition(b"\r\n\r\n")
    fields = (line.partition(": ") for line in head.decode("latin-1").split("\r\n"))
    named = {name: value for name, _, value in fields}
    return Ended(ended.returncode, named, rest, ended.stderr.decode())


# ---- answers


def test_a_request_is_answered_and_that_is_all() -> None:
    ended = run()
    assert ended.head == {
        "Status": "200 OK",
        "Content-Type": "text/plain",
        "Content-Length": "6",
    }
    assert (ended.exit_status, ended.body, ended.log) == (0, b"hello\n", "")


def test_status_comes_first() -> None:
    """RFC 3875 6.3.3; some web servers look no further."""
    assert next(iter(run("/ignore").head.items())) == ("Status", "403 Forbidden")


@pytest.mark.parametrize("size", [1, 65536, 65537, 1 << 20])
def test_a_body_of_any_size_arrives(size: int) -> None:
    body = os.urandom(size)
    assert run("/echo", body=body).body == body


@pytest.mark.parametrize("length", ["", "-1", "0"])
def test_what_is_no_length_is_no_body(length: str) -> None:
    """Nothing is read: the web server may keep stdin open."""
    reader, writer = os.pipe()
    try:
        ended = run("/count", stdin=reader, CONTENT_LENGTH=length)
    finally:
        os.close(reader)
        os.close(writer)
    assert ended.body == b"0"


def test_a_chunked_body_ends_with_stdin() -> None:
    ended = run(
        "/echo", body=b"hello", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked"
    )
    assert ended.body == b"hello"


def test_a_body_is_read_even_if_the_application_does_not() -> None:
    """Apache gives no answer otherwise."""
    assert run("/ignore", body=bytes(1 << 20)).body == b"not read\n"


def test_an_answer_is_not_mixed_with_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "prints.py").write_text(
        "import os, sys\n"
        "def wsgi(environ, start_response):\n"
        "    print('printed')\n"
        "    os.system('echo echoed; cat')\n"
        "    start_response('200 OK', [])\n"
        "    return [sys.stdin.read().encode() + environ['wsgi.input'].read()]\n"
    )
    ended = run(app="prints:wsgi", cwd=tmp_path, body=b"hello")
    assert (ended.head["Status"], ended.body) == ("200 OK", b"hello")
    assert sorted(ended.log.split()) == ["echoed", "printed"]


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("HEAD", "/", "200 OK", b""),
        ("GET", "/status?code=204", "204 Of The Test", b""),
        ("GET", "/status?code=304", "304 Of The Test", b""),
        ("GET", "/length?says=9&gives=9", "200 OK", b"111222333"),
        ("GET", "/blocks?n=20", "200 OK", b"x" * (20 << 16)),
        ("GET", f"/bare-file?path={__file__}", "200 OK", Path(__file__).read_bytes()),
    ],
)
def test_an_answer_has_the_body_that_it_may_have(
    method: str, path: str, status: str, body: bytes
) -> None:
    app = "app:wsgi" if path == "/" else "wire:wsgi"
    ended = run(path, app=app, REQUEST_METHOD=method)
    assert (ended.head["Status"], ended.body) == (status, body)


def test_a_prefix_is_split_off_where_it_is_set() -> None:
    ended = run("/shop/environ", "--script-name", "/shop", SCRIPT_NAME="")
    assert environ_of(ended)["SCRIPT_NAME"] == "'/shop'"
    assert environ_of(ended)["PATH_INFO"] == "'/environ'"


def environ_of(ended: Ended) -> dict[str, str]:
    lines = (line.partition("=") for line in ended.body.decode().splitlines())
    return {name: value for name, _, value in lines}


def test_the_environ_is_that_of_a_cgi_program() -> None:
    """PEP 3333, `environ` Variables."""
    environ = environ_of(run("/environ"))
    assert environ["wsgi.run_once"] == environ["wsgi.multiprocess"] == "True"
    assert environ["wsgi.multithread"] == "False"
    assert environ["SCRIPT_NAME"] == "'/cgi-bin/app'"
    assert environ["PATH_INFO"] == "'/environ'"
    assert environ["wsgi.url_scheme"] == "'http'"
    assert environ_of(run("/environ", HTTPS="on"))["wsgi.url_scheme"] == "'https'"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_odd_bytes_arrive_as_they_are_in_any_locale(locale: str) -> None:
    odd = b"\xff\xfe \xc3\xb6\\x \xe2\x82"
    environ = environ_of(run("/environ", HTTP_X_ODD=odd, LC_ALL=locale))
    assert ast.literal_eval(environ["HTTP_X_ODD"]).encode("latin-1") == odd


def test_a_proxy_is_not_set_by_a_client() -> None:
    """httpoxy, CVE-2016-5385."""
    assert "HTTP_PROXY" not in environ_of(run("/environ", HTTP_PROXY="http://evil"))


def test_what_env_sets_is_not_the_request_s() -> None:
    ended = run("/environ", "--env", "QUERY_STRING=evil", "--env", "MY_OWN=1")
    environ = environ_of(ended)
    assert environ["QUERY_STRING"] == "''"
    assert "MY_OWN" not in environ


# ---- failures


def test_an_error_of_the_application_is_in_the_log_alone() -> None:
    ended = run("/fail")
    assert ended.exit_status == 0
    assert ended.head["Status"] == "500 Internal Server Error"
    assert ended.body == b"500 Internal Server Error\n"
    assert "RuntimeError: failed on purpose" in ended.log


def test_an_answer_that_breaks_off_exits_75() -> None:
    ended = run("/fail-late")
    assert (ended.exit_status, ended.body) == (75, b"so far so good\n")
    assert "failed on purpose, late" in ended.log


def test_an_application_that_cannot_be_loaded_exits_70_with_a_500() -> None:
    ended = run(app="broken:wsgi")
    assert ended.exit_status == 70
    assert ended.head["Status"] == "500 Internal Server Error"
    assert b"broken on purpose" not in ended.body
    assert "RuntimeError: broken on purpose" in ended.log


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "reason"),
    [
        ((), {"REQUEST_METHOD": ""}, "400 Bad Request", "no method"),
        ((), {"CONTENT_LENGTH": "five"}, "400 Bad Request", "malformed CONTENT_LENGTH"),
        ((), {"CONTENT_LENGTH": "9"}, "400 Bad Request", "body ended before"),
        (("--max-body", "8"), {"CONTENT_LENGTH": "9"}, "413 Content Too Large", "long"),
    ],
)
def test_what_is_no_request_is_refused(
    arguments: Sequence[str], variables: dict[str, str], status: str, reason: str
) -> None:
    ended = run("/", *arguments, **variables)
    assert (ended.exit_status, ended.head["Status"]) == (0, status)
    assert reason in ended.log


def test_who_does_not_listen_any_more_is_no_error() -> None:
    environment = {**os.environ, **REQUEST, "PYTHONPATH": str(ROOT)}
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "prefork.cli.wsgi", "app:wsgi"]
    ended = subprocess.run(
        command,
        cwd=PROGRAMS,
        env={**environment, "PATH_INFO": "/"},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=30,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (75, b"")


# ---- settings


def test_settings_come_from_where_they_always_come_from(tmp_path: Path) -> None:
    (tmp_path / "prefork.toml").write_text(
        f'app = "app:wsgi"\npythonpath = "{PROGRAMS}"\numask = "0027"\nuser = "me"\n'
    )
    ended = run(app="--once", cwd=tmp_path)
    assert (ended.exit_status, ended.body) == (0, b"hello\n")


def test_once_is_what_it_does_by_itself_for_a_web_server() -> None:
    assert run().body == run("/", "--once").body
    assert run("/", "--once", GATEWAY_INTERFACE="").exit_status == 0


@pytest.mark.parametrize("how", ["--no-once", "a listening stdin", "no gateway"])
def test_it_serves_on_for_everybody_else(server: Server, how: str) -> None:
    environment = {} if how == "no gateway" else REQUEST
    arguments = ["--no-once"] if how == "--no-once" else []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stdin = listener if how == "a listening stdin" else subprocess.DEVNULL
        server.start(*arguments, "-w", "1", env=environment, stdin=stdin)
        assert server.get("/") == (200, b"hello\n")
        assert server.stop() == 0

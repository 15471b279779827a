"""`prefork request`: asks prefork, and what others have written, and tells."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.strangers import FCGIWRAP, PHP_FPM, UWSGI, fcgiwrap, php_fpm, uwsgi

from prefork.cli.request import main

pytestmark = pytest.mark.process

PROTOCOLS = ("http", "fastcgi", "scgi", "uwsgi", "ajp")
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
Ask = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def ask(capfdbinary: pytest.CaptureFixture[bytes]) -> Ask:
    """Ask as from the command line; exit status, stdout and stderr."""

    def ask(*argv: str) -> tuple[int, bytes, str]:
        try:
            status = main(argv)
        except SystemExit as error:
            status = int(str(error.code))
        out, err = capfdbinary.readouterr()
        return status, out, err.decode()

    return ask


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One prefork that speaks all of them; where, by protocol."""
    server = Server(tmp_path_factory.mktemp("server"))
    here = server.directory
    places = {name: f"{name}+unix:{here}/{name}.sock" for name in PROTOCOLS}
    binds = [word for place in places.values() for word in ("-b", place)]
    server.start("-w", "1", *binds, bind=None)
    yield places
    server.stop()
    assert not server.clean_up()


@every_protocol
def test_prints_the_body_of_the_answer(
    ask: Ask, places: dict[str, str], protocol: str
) -> None:
    assert ask(places[protocol], "/hello") == (0, b"hello\n", "")


@every_protocol
def test_sends_a_body_of_any_size(
    ask: Ask, places: dict[str, str], protocol: str, tmp_path: Path
) -> None:
    (tmp_path / "body").write_bytes(os.urandom(300_000))
    status, out, _ = ask(places[protocol], "/echo", "-d", f"@{tmp_path}/body")
    assert (status, out) == (0, (tmp_path / "body").read_bytes())


@every_protocol
def test_receives_a_body_of_any_size(
    ask: Ask, places: dict[str, str], protocol: str
) -> None:
    status, out, _ = ask(places[protocol], "/big?size=3000000")
    assert (status, len(out)) == (0, 3_000_000)


@every_protocol
def test_prints_the_head_if_wanted(
    ask: Ask, places: dict[str, str], protocol: str
) -> None:
    _, out, _ = ask(places[protocol], "/ignore", "-i", "-X", "HEAD")
    head, end, body = out.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert "Content-Type: text/plain" in head.split("\r\n")
    assert "Status:" not in head
    assert (end, body) == ("\r\n\r\n", "")


@every_protocol
def test_shows_the_wire_if_wanted(
    ask: Ask, places: dict[str, str], protocol: str
) -> None:
    status, out, err = ask(places[protocol], "/hello", "-v")
    assert (status, out) == (0, b"hello\n")
    assert err.startswith(f"#1.1 {protocol} to ")
    assert "→ GET /hello HTTP/1.1\n" in err
    assert "← 200 OK\n" in err
    assert "= 200; 0 B asked, 6 B answered, " in err


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi", "uwsgi", "ajp"])
def test_sends_variables(ask: Ask, places: dict[str, str], protocol: str) -> None:
    _, out, _ = ask(
        *(places[protocol], "/environ", "--param", "REMOTE_USER=fred"),
        *("--param", "REMOTE_ADDR=192.0.2.1", "--param", "HTTPS=on"),
    )
    assert "REMOTE_USER='fred'" in out.decode().split("\n")
    assert "REMOTE_ADDR='192.0.2.1'" in out.decode().split("\n")
    assert "wsgi.url_scheme='https'" in out.decode().split("\n")


@every_protocol
def test_expects_a_status(ask: Ask, places: dict[str, str], protocol: str) -> None:
    place = places[protocol]
    assert ask(place, "/ignore")[0] == 0
    assert ask(place, "/ignore", "--expect", "403")[0] == 0
    status, out, err = ask(place, "/ignore", "--expect", "2xx")
    assert (status, out) == (1, b"not read\n")
    assert err == "prefork request: the status is 403, not 2xx\n"


@pytest.mark.parametrize("protocol", ["http", "fastcgi", "ajp"])
def test_an_answer_that_breaks_off_is_a_failure(
    ask: Ask, places: dict[str, str], protocol: str
) -> None:
    status, out, err = ask(places[protocol], "/fail-late")
    assert (status, out) == (1, b"so far so good\n")
    assert err.startswith("prefork request: ")


def test_asks_again_and_again(ask: Ask, places: dict[str, str]) -> None:
    status, out, err = ask(places["http"], "/hello", "--repeat", "5")
    assert (status, err) == (0, "")
    first, second, third = out.decode().splitlines()
    assert first == "5 requests, 0 failed"
    assert second == "status   200, 5 ×"
    assert third.startswith("time     min ")


def test_of_many_the_first_failure_is_the_status(ask: Ask, tmp_path: Path) -> None:
    status, out, _ = ask(f"unix:{tmp_path}/none", "--repeat", "2")
    assert status == 7
    assert out.decode().startswith("2 requests, 2 failed\nfailed   2 × cannot connect")


def test_has_an_exit_status_for_nobody_and_for_too_late(
    ask: Ask, tmp_path: Path
) -> None:
    status, _, err = ask(f"unix:{tmp_path}/none")
    assert status == 7
    assert err == (
        f"prefork request: cannot connect to unix:{tmp_path}/none: "
        "no such file or directory\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for seconds in ("0.1", "1", "10"):  # in which it connects
            status, _, err = ask(place, "/", "--timeout", seconds)
            if "connect" not in err:
                break
    assert (status, err) == (28, "prefork request: no whole answer in time\n")


def test_a_time_that_is_over_before_it_has_begun_is_one(ask: Ask) -> None:
    """As on a machine that is busy, with any timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        status, _, err = ask(place, "/hello", "--timeout", "0.000001")
        assert (status, err.count("in time")) == (28, 1)


def test_used_wrongly_it_exits_2(ask: Ask) -> None:
    for argv in (["https://localhost/"], ["unix:s", "--repeat", "0"], ["unix:s", "x"]):
        status, _, err = ask(*argv)
        assert status == 2
        assert err.startswith("usage: prefork request ")


def test_what_is_no_answer_is_said_to_be_none(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = os.fork()
        if not child:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.send(b"220 hello\r\n")
            os._exit(0)
        status, _, err = ask(f"http://127.0.0.1:{port}/")
        os.waitpid(child, 0)
    assert status == 1
    assert "no status line of HTTP: '220 hello'" in err


# Programs


def write_program(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return f"cgi:{path}"


def test_runs_a_program(ask: Ask, tmp_path: Path) -> None:
    place = write_program(
        tmp_path / "program",
        "echo complaint >&2; echo 'Status: 201 Made'; echo\n"
        'echo "$REQUEST_METHOD $SCRIPT_NAME $PATH_INFO $QUERY_STRING"; cat\n',
    )
    status, out, err = ask(place, "/program/a%20b?c=d", "-d", "body", "-i")
    assert status == 0
    assert out == b"HTTP/1.1 201 Made\r\n\r\nPOST /program /a b c=d\nbody"
    assert err == "stderr: complaint\n"


def test_a_program_that_is_asked_for_a_head_has_no_body(
    ask: Ask, tmp_path: Path
) -> None:
    place = write_program(tmp_path / "program", "echo Content-Length: 5; echo\n")
    assert ask(place, "-X", "HEAD") == (0, b"", "")
    assert ask(place)[0] == 1


def test_a_program_that_answers_before_it_reads_is_no_trouble(
    ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "body").write_bytes(bytes(1 << 20))
    place = write_program(
        tmp_path / "program", "echo; head -c 1000000 /dev/zero; cat\n"
    )
    status, out, _ = ask(place, "-d", f"@{tmp_path}/body")
    assert (status, len(out)) == (0, 1_000_000 + (1 << 20))


def test_a_program_that_hangs_is_not_left_running(ask: Ask, tmp_path: Path) -> None:
    place = write_program(
        tmp_path / "program", f"echo $$ > {tmp_path}/pid; exec sleep 600\n"
    )
    (tmp_path / "pid").touch()
    for seconds in ("0.5", "2", "8"):  # in which it starts
        assert ask(place, "--timeout", seconds)[0] == 28
        if said := (tmp_path / "pid").read_text():
            break
    pid = int(said)
    assert not Path(f"/proc/{pid}").exists()


# What others have written


@pytest.mark.frontend
@pytest.mark.skipif(not PHP_FPM, reason="php-fpm is not installed")
def test_asks_php_fpm(ask: Ask, tmp_path: Path) -> None:
    script = tmp_path / "index.php"
    script.write_text(
        '<?php error_log("complaint"); header("X-Of: php"); http_response_code(202);'
        'echo $_SERVER["REQUEST_URI"], " ", $_SERVER["SCRIPT_NAME"], " ",'
        'strlen(file_get_contents("php://input"));'
    )
    with php_fpm(tmp_path) as place:
        argv = (place, "/blog?x", "--script", str(script), "-d", "x" * 100_000, "-i")
        status, out, err = ask(*argv)
    head, _, body = out.partition(b"\r\n\r\n")
    assert (status, body) == (0, b"/blog?x /index.php 100000")
    assert head.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert b"X-Of: php" in head
    assert err == "stderr: PHP message: complaint\n"


@pytest.mark.frontend
@pytest.mark.skipif(not FCGIWRAP, reason="fcgiwrap is not installed")
def test_asks_fcgiwrap(ask: Ask, tmp_path: Path) -> None:
    write_program(tmp_path / "program", 'echo "X: y"; echo; echo "$PATH_INFO"; cat\n')
    with fcgiwrap(tmp_path) as place:
        script = ("--script", f"{tmp_path}/program")
        assert ask(place, "/program/a", *script, "-d", "b") == (0, b"/a\nb", "")
        status, _, err = ask(place, "--script", f"{tmp_path}/none", "--expect", "200")
        assert status == 1
        assert "stderr: Cannot get script name" in err
        assert "the status is 403, not 200" in err


@pytest.mark.skipif(not UWSGI, reason="uWSGI is not installed")
def test_asks_uwsgi_in_every_protocol_it_has(ask: Ask, tmp_path: Path) -> None:
    with uwsgi(tmp_path) as places:
        eventually(lambda: ask(places["http"], "/")[0] == 0)
        for place in places.values():
            status, out, err = ask(place, "/a%20b?c=d", "-d", "body")
            assert (status, out, err) == (0, b"POST /a b c=d body", "")


def test_nobody_has_to_read_all_of_it(places: dict[str, str]) -> None:
    command = f"{sys.executable} -m prefork.cli.control request {places['scgi']} /big"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -c 3"], capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"xxx", b"")


def test_is_a_command_of_prefork(places: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefork.cli.control", "request", places["scgi"]]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")

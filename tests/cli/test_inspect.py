"""`prefork inspect`: between a web server and what is behind it."""

import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.front_end import FrontEnd
from serving.inspection import looking_on
from serving.makes.nginx import NGINX
from serving.strangers import PHP_FPM, php_fpm

from prefork.cli.inspect import main

pytestmark = pytest.mark.process

needs_nginx = pytest.mark.skipif(not NGINX.path, reason="nginx is not installed")
needs_php = pytest.mark.skipif(not PHP_FPM, reason="php-fpm is not installed")


@pytest.fixture
def prefork(server: Server) -> Iterator[str]:
    """A prefork that speaks whatever it is asked in; where."""
    place = f"unix:{server.directory}/app.sock"
    server.start("-w", "1", bind=f"auto+{place}")
    yield place
    server.stop()


def connect(place: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    try:
        connection.connect(place.removeprefix("unix:"))
    except OSError:
        connection.close()
        raise
    return connection


def talk(place: str, data: bytes) -> bytes:
    """Send; everything that comes back."""
    with connect(place) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


GET = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.frontend
@needs_nginx
@needs_php
def test_between_nginx_and_php_fpm(tmp_path: Path) -> None:
    script = tmp_path / "index.php"
    script.write_text(
        '<?php error_log("complaint"); echo file_get_contents("php://input");'
    )
    more = f'fastcgi_param HTTP_PROXY ""; fastcgi_param SCRIPT_FILENAME {script};'
    make = replace(NGINX, below={'fastcgi_param HTTP_PROXY "";': more})
    with (
        php_fpm(tmp_path) as place,
        looking_on(tmp_path, "127.0.0.1:0", place) as onlooker,
        FrontEnd(make, "fastcgi", onlooker.place, below=True) as nginx,
    ):
        answer = nginx.ask("POST", "/index.php?a=b", body=b"x" * 100_000)
        assert (answer.status, len(answer.body)) == (200, 100_000)
        eventually(lambda: "= 200;" in onlooker.seen)
        assert onlooker.end() == 0
    seen = onlooker.seen
    assert re.match(r"#1\.1 fastcgi from 127\.0\.0\.1:\d+ at \d{4}-", seen)
    assert re.search(r" ms → BEGIN_REQUEST  8 B, RESPONDER", seen)
    assert re.search(r" ms → PARAMS  2 ×, ", seen)
    assert " ms → POST /index.php?a=b HTTP/1.1\n" in seen
    assert f"\n                  SCRIPT_FILENAME = {script}\n" in seen
    assert re.search(r" ms → STDIN  (\d+ ×, )?\d", seen)  # in one line, or several
    assert " ms ← STDERR: PHP message: complaint" in seen
    assert " ms ← 200 OK\n" in seen or " ms ← 200\n" in seen
    assert " ms ← END_REQUEST  8 B, status 0, REQUEST_COMPLETE\n" in seen
    assert " ms = 200; 100 kB asked, 100 kB answered, " in seen
    assert onlooker.told.endswith("1 requests on 1 connections\n")


@pytest.mark.frontend
@needs_nginx
@pytest.mark.parametrize("protocol", NGINX.protocols)
def test_between_nginx_and_prefork(prefork: str, tmp_path: Path, protocol: str) -> None:
    with (
        looking_on(tmp_path, "127.0.0.1:0", prefork) as onlooker,
        FrontEnd(NGINX, protocol, onlooker.place) as nginx,
    ):
        for _ in range(2):
            answer = nginx.ask("POST", "/echo", body=b"hello")
            assert (answer.status, answer.body) == (200, b"hello"), nginx.log
        eventually(
            lambda: onlooker.seen.count(" ms = 200; 5 B asked, 5 B answered") == 2
        )
        assert onlooker.seen.count(f"→ protocol  {protocol}\n") in (1, 2)
        assert onlooker.seen.count("→ POST /echo HTTP/1") == 2


def test_prints_what_it_cannot_understand_and_passes_it_on(tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/behind"
    with socket.socket(socket.AF_UNIX) as backend:
        backend.bind(f"{tmp_path}/behind")
        backend.listen()
        argv = (f"fastcgi+unix:{tmp_path}/seen.sock", place)
        with looking_on(tmp_path, *argv) as onlooker, connect(onlooker.place) as client:
            client.send(b"\x01\x01\x00\x01\x00\x00\x00\x00" + b"nonsense")
            behind, _ = backend.accept()
            with behind:
                assert behind.recv(100)[8:] == b"nonsense"
                client.send(b" and more")
                assert behind.recv(100) == b" and more"
                behind.send(b"what?")
                assert client.recv(100) == b"what?"
            assert client.recv(100) == b""
            client.close()
            eventually(lambda: "server is not understood" in onlooker.seen)
    assert (
        "→ the client is not understood: "
        "no record of FastCGI: its version is 110 (before byte 16)\n"
    ) in onlooker.seen
    assert "the end came in the middle of a record" in onlooker.seen


def test_what_takes_long_is_printed_before_it_ends(
    prefork: str, tmp_path: Path
) -> None:
    with looking_on(tmp_path, f"unix:{tmp_path}/seen.sock", prefork) as onlooker:
        with connect(onlooker.place) as client:
            client.send(b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
            eventually(lambda: "→ PUT /echo" in onlooker.seen)
            assert "= 200;" not in onlooker.seen
            client.send(b"the rest")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        eventually(lambda: "= 200; 8 B asked, 8 B answered, " in onlooker.seen)
        assert onlooker.seen.count("#1.1") == 1


def test_many_connections_have_blocks_of_their_own(
    prefork: str, tmp_path: Path
) -> None:
    argv = (f"unix:{tmp_path}/seen.sock", f"http+{prefork}")
    with looking_on(tmp_path, *argv) as onlooker:
        clients = [connect(onlooker.place) for _ in range(10)]
        for client in clients:
            client.send(GET[:20])
        for client in clients:
            client.send(GET[20:])
        for client in clients:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
            client.close()
        eventually(lambda: onlooker.seen.count("= 200;") == 10)
        assert all(f"#{number}.1 http from" in onlooker.seen for number in range(1, 11))


def test_what_was_saved_is_printed_again(
    prefork: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "saved")
    argv = ("--save", path, f"unix:{tmp_path}/seen.sock", prefork)
    with looking_on(tmp_path, *argv) as onlooker:
        assert talk(onlooker.place, GET).endswith(b"hello\n")
        eventually(lambda: "= 200;" in onlooker.seen)
        assert onlooker.end(signal.SIGTERM) == 0
    assert main([path]) == 0
    out, err = capsys.readouterr()
    assert out == onlooker.seen
    assert err == "prefork inspect: 1 requests on 1 connections\n"
    assert main([path, "--hex"]) == 0
    assert "000000  47 45 54 20 2f 68 65 6c 6c 6f" in capsys.readouterr().out


def test_its_socket_is_for_those_of_the_target_and_goes_with_it(
    prefork: str, tmp_path: Path
) -> None:
    target, path = Path(prefork.removeprefix("unix:")), tmp_path / "seen.sock"
    target.chmod(0o606)
    with looking_on(tmp_path, f"unix:{path}", prefork) as onlooker:
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        assert onlooker.end() == 0
    assert not path.exists()


def test_an_interrupt_prints_what_is_open(prefork: str, tmp_path: Path) -> None:
    argv = (f"unix:{tmp_path}/seen.sock", prefork)
    with looking_on(tmp_path, *argv) as onlooker, connect(onlooker.place) as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        eventually(lambda: "→ GET /slow" in onlooker.seen)
        assert onlooker.end() == 0
        assert client.recv(100) == b""
    assert "→ body  4 B" in onlooker.seen
    assert "× still open" in onlooker.seen
    assert onlooker.told.endswith("1 requests on 1 connections\n")


@pytest.mark.parametrize("option", ["--hex", "--save=/dev/full"])
def test_it_ends_where_nobody_takes_what_it_has_seen(
    prefork: str, tmp_path: Path, option: str
) -> None:
    argv = [option, f"unix:{tmp_path}/seen.sock", prefork]
    command = [sys.executable, "-m", "prefork.cli.control", "inspect", *argv]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout and process.stderr
        assert "listening on" in process.stderr.readline()
        process.stdout.close()
        with suppress(OSError):  # it may have ended before
            talk(f"unix:{tmp_path}/seen.sock", GET)
        said = process.stderr.read()
        process.wait(10)
    if "full" in option:
        assert said == "prefork inspect: cannot go on: No space left on device\n"
        assert process.returncode == 1
    else:
        assert (said, process.returncode) == ("", 0)


def test_a_target_that_is_not_there_is_said(tmp_path: Path) -> None:
    argv = (f"unix:{tmp_path}/seen.sock", f"unix:{tmp_path}/none")
    with looking_on(tmp_path, *argv) as onlooker:
        assert talk(onlooker.place, b"") == b""
        eventually(lambda: "cannot connect to unix:" in onlooker.seen)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/nonexistent"], "cannot read /nonexistent"),
        (["unix:/nonexistent/s", "unix:t"], "cannot bind unix:/nonexistent/s"),
    ],
)
def test_what_the_system_refuses_is_said(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    assert f"prefork inspect: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["scgi+unix:s", "uwsgi+unix:t"], "several protocols: scgi, uwsgi"),
        (["scgi+unix:s", "unix:t", "--protocol", "ajp"], "several protocols"),
        (["unix:s", "unix:t", "--protocol", "cgi"], "invalid choice: 'cgi'"),
        (["cgi+unix:s", "unix:t"], "unknown protocol 'cgi'"),
        (["/nonexistent", "--protocol", "x"], "invalid choice: 'x'"),
        (["nowhere", "unix:t"], "'nowhere' is not a port"),
    ],
)
def test_used_wrongly_it_exits_2(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err

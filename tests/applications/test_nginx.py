"""nginx in front, with the configuration that we recommend (contrib/nginx)."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from serving import Server, eventually

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
RECOMMENDED = Path(__file__).parents[2] / "contrib/nginx/http.conf"

pytestmark = [
    pytest.mark.process,
    pytest.mark.frontend,
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
]

AROUND = """
daemon off;
worker_processes 1;
{user}
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    {recommended}
}}
"""
UNBUFFERED = "proxy_buffering off; proxy_request_buffering off;"


class Nginx:
    """One nginx; it is given its listening socket, so its port is never taken."""

    def __init__(
        self,
        directory: Path,
        upstream: str,
        *,
        extra: str = "",  # directives for the server
        instead: dict[str, str] | None = None,  # of words in what we recommend
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._configuration = directory / "nginx.conf"
        recommended = RECOMMENDED.read_text()
        changes = {
            "unix:/run/prefork/prefork.sock": upstream,
            "listen 80;": f"listen 127.0.0.1:{self.port}; {extra}",
            **(instead or {}),
        }
        for word, another in changes.items():
            assert word in recommended
            recommended = recommended.replace(word, another)
        user = "" if os.geteuid() else "user root;"
        self._configuration.write_text(
            AROUND.format(directory=directory, user=user, recommended=recommended)
        )

    def __enter__(self) -> "Nginx":
        fd = self._listener.fileno()
        self._process = subprocess.Popen(
            [str(NGINX), "-c", str(self._configuration), "-e", "stderr"],
            env={"NGINX": f"{fd};"},
            pass_fds=[fd],
        )
        eventually(lambda: self.get("/").status)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        self._listener.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def get(
        self,
        target: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: object = None,
    ) -> "Answer":
        with closing(self.connect()) as connection:
            connection.request(method, target, body, headers or {})  # type: ignore[arg-type]
            return Answer(connection.getresponse())


class Answer:
    """A whole answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> dict[str, str]:
        value: dict[str, str] = json.loads(self.body)
        return value


Front = Callable[..., Nginx]


@pytest.fixture(params=["unix", "tcp"])
def front(
    server: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Front]:
    """Start a server, and nginx in front of it."""
    started = []

    def start(*options: str, app: str = "mirror:wsgi", **more: Any) -> Nginx:
        path = tmp_path / "prefork.sock"
        bind = f"unix:{path}" if request.param == "unix" else "127.0.0.1:0"
        server.start("-w", "4", *options, app=app, bind=bind)
        upstream = f"unix:{path}" if not server.port else f"127.0.0.1:{server.port}"
        started.append(Nginx(tmp_path, upstream, **more).__enter__())
        return started[0]

    yield start
    for nginx in started:
        nginx.__exit__()


# ---- requests


TARGETS = [  # target, PATH_INFO as latin-1, QUERY_STRING
    ("/a%20b", "/a b", ""),
    ("/%C3%BC", "/\xc3\xbc", ""),
    ("/a%2Fb%3Fc", "/a/b?c", ""),
    ("//double//slash/", "//double//slash/", ""),
    ("/a/./b/../c", "/a/./b/../c", ""),
    ("/semi;colon?x=1&y=%26&&", "/semi;colon", "x=1&y=%26&&"),
    ("/100%25+1?a?b", "/100%+1", "a?b"),
    ("/~tilde|{}'\"<>", "/~tilde|{}'\"<>", ""),
    ("/long" + "x" * 6000, "/long" + "x" * 6000, ""),
]


def test_odd_targets_arrive_as_they_were_sent(front: Front) -> None:
    nginx = front()
    for target, path, query in TARGETS:
        environ = nginx.get(target).json()
        assert environ["REQUEST_URI"] == target
        assert environ["PATH_INFO"] == path
        assert environ["QUERY_STRING"] == query


def test_headers_arrive_many_long_repeated(front: Front) -> None:
    nginx = front()
    many = {f"X-Header-{number}": "v" * 200 for number in range(80)}
    environ = nginx.get("/there", {**many, "Cookie": "a=1; b=2"}).json()
    assert [environ[f"HTTP_X_HEADER_{n}"] for n in range(80)] == ["v" * 200] * 80
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    connection = nginx.connect()
    connection.putrequest("GET", "/there")
    for name, value in [
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("X-A", "1"),
        ("X-A", "2"),
    ]:
        connection.putheader(name, value)
    connection.endheaders()
    environ = Answer(connection.getresponse()).json()
    connection.close()
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_A"] in ("1,2", "1, 2")


def test_each_header_of_the_answer_arrives(front: Front) -> None:
    headers = front().get("/there").headers
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_head_gets_no_body(front: Front) -> None:
    nginx = front()
    answer = nginx.get("/big?size=5000", method="HEAD")
    assert (answer.headers["Content-Length"], answer.body) == ("5000", b"")
    assert nginx.get("/hello").body == b"hello\n"


@pytest.mark.parametrize("extra", ["", UNBUFFERED], ids=["buffered", "unbuffered"])
def test_bodies_arrive_small_large_and_in_chunks(front: Front, extra: str) -> None:
    nginx = front(extra=extra)
    for size in (0, 1, 1000, 1 << 20):
        body = os.urandom(size)
        assert nginx.get("/echo", method="POST", body=body).body == body
        pieces = (body[at : at + 7777] for at in range(0, size, 7777))
        assert nginx.get("/echo", method="POST", body=pieces).body == body


@pytest.mark.slow
def test_large_answers_and_streams_arrive_whole(front: Front, tmp_path: Path) -> None:
    nginx = front()
    assert nginx.get("/big?size=20000000").body == b"x" * 20_000_000
    path = tmp_path / "file"
    path.write_bytes(os.urandom(5_000_000))
    assert nginx.get(f"/file?path={path}").body == path.read_bytes()
    lines = b"".join(b"chunk %d\n" % number for number in range(5000))
    assert nginx.get("/stream?n=5000").body == lines


def test_a_stream_arrives_while_it_is_made(front: Front, tmp_path: Path) -> None:
    nginx, go = front(extra=UNBUFFERED), tmp_path / "go"
    with closing(nginx.connect()) as connection:
        connection.request("GET", f"/stream?n=2&until={go}")
        response = connection.getresponse()
        assert response.read1(100) == b"chunk 0\n"
        go.touch()
        assert response.read() == b"chunk 1\n"


# ---- who the client is


def test_the_server_knows_whom_nginx_speaks_for(front: Front) -> None:
    environ = front().get("/there", {"Host": "example.org:8080"}).json()
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == "example.org:8080"


def test_the_server_knows_what_a_chain_of_proxies_says(front: Front) -> None:
    behind = {"$scheme": "https", "$remote_addr": "$proxy_add_x_forwarded_for"}
    nginx = front(instead=behind)
    environ = nginx.get("/there", {"X-Forwarded-For": "203.0.113.7"}).json()
    assert environ["REMOTE_ADDR"] == "203.0.113.7"
    assert environ["wsgi.url_scheme"] == "https"


def test_a_client_cannot_say_more_than_nginx_lets_it(front: Front) -> None:
    claims = {
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "X_Forwarded_For": "203.0.113.9",
        "Forwarded": "for=203.0.113.8;proto=https;host=evil",
        "Proxy": "http://evil/",
    }
    environ = front().get("/there", claims).json()
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert "HTTP_PROXY" not in environ
    assert "evil" not in json.dumps(environ)


# ---- errors, and clients that leave


def test_errors_of_the_application_are_seen_by_the_client(front: Front) -> None:
    nginx = front(extra=UNBUFFERED)
    assert nginx.get("/fail").status == 500
    with pytest.raises(http.client.IncompleteRead):
        nginx.get("/fail-late")
    assert nginx.get("/").status == 200


def test_an_early_answer_to_a_large_upload_gets_through(front: Front) -> None:
    nginx = front(extra="proxy_request_buffering off;")
    body = (b"x" * 65536 for _ in range(100))
    answer = nginx.get("/ignore", method="POST", body=body)
    assert (answer.status, answer.body) == (403, b"not read\n")


@pytest.mark.slow
def test_a_client_that_leaves_does_no_harm(front: Front, server: Server) -> None:
    nginx = front()
    for target in ("/sleep?s=0.3", "/big?size=50000000", "/stream?n=100&s=0.01"):
        for _ in range(4):
            connection = nginx.connect()
            connection.request("GET", target)
            connection.close()
    for _ in range(20):
        assert nginx.get("/hello").body == b"hello\n"
    assert "lost worker" not in server.log
    assert "Traceback" not in server.log


# ---- connections that nginx keeps


def test_nginx_keeps_its_connections_to_the_server(
    front: Front, server: Server, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    options = ("--access-logfile", str(log), "--access-logformat", "%(r)s")
    nginx = front("--keep-alive", "60", *options)
    for _ in range(50):
        assert nginx.get("/pid").status == 200
    assert len({nginx.get("/pid").body for _ in range(20)}) == 1  # the same worker
    assert "HTTP/1.1" in log.read_text()


@pytest.mark.slow
def test_a_reload_under_load_loses_no_request(front: Front, server: Server) -> None:
    """Behaviour 21, through the connections that nginx keeps."""
    nginx = front()
    wrong: list[object] = []
    answered = []
    stop = threading.Event()

    def ask(number: int) -> None:
        while not stop.is_set():
            try:
                answer = nginx.get("/sleep?s=0.01" if number % 2 else "/")
            except OSError as error:
                wrong.append(error)
            else:
                answered.append(answer)
                if answer.status != 200:
                    wrong.append(answer.status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for count in (1, 2, 3):
            server.signal(signal.SIGHUP)
            server.wait_log(f"(?s)(phase=commit.*){{{count}}}", within=20)
        eventually(lambda: len(answered) > 100)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []

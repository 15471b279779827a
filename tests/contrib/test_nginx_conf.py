"""contrib/nginx/http.conf: nginx takes it, and clients cannot lie through it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server, eventually

SNIPPET = Path(__file__).parents[2] / "contrib" / "nginx" / "http.conf"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")

pytestmark = [
    pytest.mark.process,
    pytest.mark.frontend,
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
]

FRAME = """
{user}
daemon off;
worker_processes 1;
pid {here}/nginx.pid;
error_log {here}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    {snippet}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def write_configuration(here: Path, *, port: int) -> Path:
    """The snippet as it is, but for its port and the place of the socket."""
    snippet = SNIPPET.read_text()
    assert snippet.count("/run/prefork/prefork.sock") == 2 and "listen 80;" in snippet
    snippet = snippet.replace("/run/prefork/prefork.sock", f"{here}/app.sock")
    snippet = snippet.replace("listen 80;", f"listen 127.0.0.1:{port};")
    path = here / "nginx.conf"
    # pytest's directories are for their owner alone, nginx's workers for nobody.
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(FRAME.format(user=user, here=here, snippet=snippet))
    return path


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server behind nginx; `port` is nginx's."""
    port = free_port()
    path = write_configuration(tmp_path, port=port)
    server.start("-w", "1", bind=f"unix:{tmp_path}/app.sock")
    server.port = port
    command = [NGINX, "-e", tmp_path / "nginx.log", "-c", path, "-p", tmp_path]
    with subprocess.Popen(command) as nginx:
        try:
            eventually(lambda: server.get("/")[0] == 200)
            yield server
        finally:
            nginx.terminate()


def test_nginx_takes_it(tmp_path: Path) -> None:
    path = write_configuration(tmp_path, port=free_port())
    command = [NGINX, "-t", "-e", "stderr", "-c", path, "-p", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_the_application_hears_of_the_client_from_nginx_alone(site: Server) -> None:
    _, body = site.get(
        "/environ",
        X_Forwarded_For="192.0.2.1",
        X_Forwarded_Host="forged.example",
        X_Forwarded_Proto="https",
        X_Forwarded_Port="1",
        Forwarded="for=192.0.2.2;host=forged.example;proto=https",
    )
    environ = body.decode()
    assert "REMOTE_ADDR='127.0.0.1'" in environ
    assert "wsgi.url_scheme='http'" in environ
    assert f"HTTP_HOST='127.0.0.1:{site.port}'" in environ
    assert "forged" not in environ and "192.0.2.2" not in environ


def test_nginx_keeps_its_connection_to_prefork(site: Server) -> None:
    _, body = site.get("/environ")
    assert "SERVER_PROTOCOL='HTTP/1.1'" in body.decode()
    assert "HTTP_CONNECTION" not in body.decode()

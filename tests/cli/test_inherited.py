"""Sockets that were passed at the start: served by their names, and left alone."""

import time
from pathlib import Path
from signal import SIGHUP

import pytest
from serving import Load, Server, eventually

pytestmark = pytest.mark.process


def start(server: Server, sockets: str, *arguments: str) -> None:
    server.start(
        "-w",
        "1",
        *arguments,
        bind=None,
        program="activated",
        env={"ACTIVATED": sockets},
    )


def test_each_is_served_in_the_protocol_of_its_name(
    server: Server, tmp_path: Path
) -> None:
    start(server, f"http=0 fastcgi={tmp_path}/f")
    assert server.get("/")[0] == 200
    assert f"listening on=fastcgi+unix:{tmp_path}/f" in server.log
    assert server.stop() == 0


def test_a_setting_names_the_protocol(server: Server, tmp_path: Path) -> None:
    start(server, f"back={tmp_path}/b", "--socket-protocol", "back=scgi")
    assert f"listening on=scgi+unix:{tmp_path}/b" in server.log


def test_they_are_served_after_a_reload_too(server: Server, tmp_path: Path) -> None:
    start(server, f"http=0 scgi={tmp_path}/s")
    server.signal(SIGHUP)
    server.wait_log("phase=commit")
    assert server.get("/")[0] == 200
    assert server.log.count("listening on=") == 2


def test_the_file_of_a_socket_stays(server: Server, tmp_path: Path) -> None:
    start(server, f"http={tmp_path}/h")
    assert server.stop() == 0
    assert (tmp_path / "h").is_socket()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-b", "127.0.0.1:0"], "--bind: the server is given its sockets by systemd"),
        (["--socket-protocol", "http=gopher"], "unknown protocol 'gopher'"),
    ],
)
def test_what_contradicts_them_is_bad_configuration(
    server: Server, arguments: list[str], said: str
) -> None:
    server.start(
        *arguments,
        bind=None,
        program="activated",
        env={"ACTIVATED": "http=0"},
        wait=False,
    )
    assert server.wait() == 78
    assert said in server.log


def test_an_address_that_comes_later_is_bad_configuration_too(server: Server) -> None:
    """Not ignored, so that the next start is not the first to say so."""
    start(server, "http=0")
    (server.directory / "prefork.toml").write_text('workers = 1\nbind = ":0"\n')
    server.signal(SIGHUP)
    said = "prefork.toml:2: the server is given its sockets by systemd"
    server.wait_log(f"(?s)reload failed phase=check.*{said}")
    assert server.get("/")[0] == 200
    assert server.stop() == 0


def test_a_name_that_means_nothing_is_bad_configuration(server: Server) -> None:
    server.start(
        bind=None, program="activated", env={"ACTIVATED": "htttp=0"}, wait=False
    )
    assert server.wait() == 78
    assert "cannot tell the protocol of systemd's socket 'htttp'" in server.log


def test_a_stop_leaves_the_queue_to_the_next_server(server: Server) -> None:
    """Its doors stay open, so under load the queue would never be empty."""
    start(server, "http=0", "--graceful-timeout", "8")
    with Load(server, clients=6, paths=["/sleep?s=0.05"], keep_alive=False) as load:
        eventually(lambda: load.answered > 5)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 6

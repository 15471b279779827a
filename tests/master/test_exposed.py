"""Listening where others can connect to what believes them."""

import signal

import pytest
from serving import Server

pytestmark = pytest.mark.process

WARNING = (
    r"warning exposed listener on=scgi://0\.0\.0\.0:\d+ "
    r'risk="scgi believes whoever can connect" advice="bind unix:PATH or '
)


def test_a_start_warns_of_it_and_says_what_to_do(server: Server) -> None:
    server.start("-w", "1", "-b", "scgi://0.0.0.0:0", "-b", "scgi+unix:app.sock")
    server.wait_log(WARNING)
    assert server.log.count("exposed listener") == 1


def test_so_does_a_reload_that_opens_one(server: Server) -> None:
    settings = server.directory / "prefork.toml"
    settings.write_text('bind = "127.0.0.1:0"')
    server.start("-w", "1", bind=None)
    assert "exposed listener" not in server.log
    settings.write_text('bind = "scgi://0.0.0.0:0"')
    server.signal(signal.SIGHUP)
    server.wait_log(WARNING)


def test_guessing_there_is_refused(server: Server) -> None:
    server.start(bind="auto://0.0.0.0:0", wait=False)
    assert server.wait() == 78
    assert "auto is for this machine only" in server.log


def test_ajp_needs_a_secret_there(server: Server) -> None:
    server.start(bind="ajp://0.0.0.0:0", wait=False)
    assert server.wait() == 78
    assert "set ajp_secret, or bind unix:PATH" in server.log


def test_a_reload_cannot_take_it_away(server: Server) -> None:
    settings = server.directory / "prefork.toml"
    settings.write_text('bind = "ajp://0.0.0.0:0"\najp_secret = "s3cr3t"\n')
    server.start("-w", "1", bind=None)
    assert "exposed listener" not in server.log
    settings.write_text('bind = "ajp://0.0.0.0:0"\n')
    server.signal(signal.SIGHUP)
    server.wait_log(r"reload failed .*\n.*set ajp_secret")
    assert "s3cr3t" not in server.log

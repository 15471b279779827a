"""prefork.master.systemd_reporter: what systemd is told, in which order.

tests/systemd has what becomes of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGTERM, SIGUSR2

import pytest
from serving import Server, Site, eventually
from serving.notify_socket import NotifySocket

pytestmark = [pytest.mark.process, pytest.mark.slow]

PHASES = re.compile(r"^(READY|RELOADING|STOPPING)=1", re.MULTILINE)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[NotifySocket]:
    listening = NotifySocket(tmp_path / "notify")
    yield listening
    listening.close()


def start(
    server: Server, listening: NotifySocket, *arguments: str, **env: str
) -> Server:
    named = {"NOTIFY_SOCKET": listening.address, **env}
    return server.start("-w", "2", *arguments, env=named)


def phases(listening: NotifySocket) -> list[str]:
    found = (PHASES.search(message) for message in listening.told())
    return [match[1] for match in found if match]


def test_a_life_is_told(server: Server, listening: NotifySocket) -> None:
    start(server, listening)
    eventually(lambda: phases(listening) == ["READY"])
    server.signal(SIGHUP)
    eventually(lambda: phases(listening) == ["READY", "RELOADING", "READY"])
    assert server.stop(SIGTERM) == 0
    assert phases(listening) == ["READY", "RELOADING", "READY", "STOPPING"]


def test_readiness_waits_for_all_workers(
    server: Server, listening: NotifySocket
) -> None:
    start(server, listening)
    eventually(lambda: phases(listening))
    ready = listening.told().index("READY=1")
    assert not any("0/2 busy" in message for message in listening.told()[:ready])
    eventually(lambda: "0/2 busy" in listening.lines("STATUS")[-1])


def test_a_reload_that_fails_ends_in_readiness_too(
    server: Server, listening: NotifySocket, tmp_path: Path
) -> None:
    start(server, listening)
    eventually(lambda: phases(listening) == ["READY"])
    (tmp_path / "prefork.toml").write_text("timeout = 'long'\n")
    server.signal(SIGHUP)
    eventually(lambda: phases(listening) == ["READY", "RELOADING", "READY"])
    eventually(lambda: "last reload failed in phase check" in status(listening))


def test_the_status_follows_the_last_worker_of_before(
    server: Server, listening: NotifySocket
) -> None:
    """Not ten seconds later: until then it would count them."""
    start(server, listening)
    with server.connect() as late:
        late.sendall(b"GET /sleep?s=3 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.signal(SIGHUP)
        eventually(lambda: "1/3 busy" in status(listening))
        assert late.recv(100)
        late.close()
        eventually(lambda: "0/2 busy" in status(listening), within=5)


def status(listening: NotifySocket) -> str:
    return listening.lines("STATUS")[-1]


def test_a_reload_is_told_with_its_time(
    server: Server, listening: NotifySocket
) -> None:
    start(server, listening)
    eventually(lambda: phases(listening))
    server.signal(SIGHUP)
    (usec,) = eventually(lambda: listening.lines("MONOTONIC_USEC"))
    assert int(usec) > 0
    (message,) = [m for m in listening.told() if "MONOTONIC_USEC" in m]
    assert message.startswith("RELOADING=1\n")


def test_the_watchdog_hears_of_us_twice_as_often_as_it_asks(
    server: Server, listening: NotifySocket
) -> None:
    start(server, listening, WATCHDOG_USEC="400000")
    count = len(listening.lines("WATCHDOG"))
    eventually(lambda: len(listening.lines("WATCHDOG")) >= count + 5, within=5)


def test_what_the_watchdog_could_not_hear_is_said_again_soon(
    server: Server, listening: NotifySocket
) -> None:
    """Not only half an hour later, where its hour may be over."""
    listening.fill()
    start(server, listening, WATCHDOG_USEC="3600000000")
    assert listening.lines("WATCHDOG") == []
    eventually(lambda: phases(listening) == ["READY"])
    eventually(lambda: listening.lines("WATCHDOG") == ["1"])


def test_an_upgrade_goes_on_telling(server: Server, listening: NotifySocket) -> None:
    """And does not begin anew: systemd has seen no new process."""
    start(server, listening, WATCHDOG_USEC="2000000")
    eventually(lambda: phases(listening) == ["READY"])
    server.signal(SIGUSR2)
    server.wait_log("upgraded master")
    server.signal(SIGHUP)
    eventually(lambda: phases(listening) == ["READY", "RELOADING", "READY"])


def test_listeners_and_scoreboard_are_stored_until_the_stop(
    server: Server, listening: NotifySocket
) -> None:
    start(server, listening)
    eventually(lambda: phases(listening))
    stored = [m for m in listening.told() if m.startswith("FDSTORE=1\nFDPOLL=0\n")]
    assert [re.sub(r"\d+$", "", each.split("=")[-1]) for each in stored] == [
        "prefork-listener-",
        "prefork-scoreboard-",
    ]
    assert server.stop() == 0
    last = [m for m in listening.told() if not m.startswith("STATUS=")][-4:]
    assert sum("FDSTOREREMOVE=1" in message for message in last) == 2


def test_a_listener_is_stored_before_the_one_of_before_is_removed(
    server: Server, listening: NotifySocket
) -> None:
    """Behaviour 30: and one that stays is not touched."""
    site = Site(server.directory)
    site.configure(workers=1, bind=["unix:a.sock", "unix:b.sock"])
    env = {**site.env, "NOTIFY_SOCKET": listening.address}
    server.start(app=site.app, bind=None, env=env)
    eventually(lambda: phases(listening) == ["READY"])
    so_far = len(listening.told())
    site.configure(workers=1, bind=["unix:b.sock", "unix:c.sock"])
    server.signal(SIGHUP)
    eventually(lambda: phases(listening) == ["READY", "RELOADING", "READY"])
    about = [m.split("=")[0] for m in listening.told()[so_far:] if "FDNAME" in m]
    assert about == ["FDSTORE", "FDSTOREREMOVE"]


def test_nobody_has_to_listen(server: Server, tmp_path: Path) -> None:
    server.start("-w", "1", env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert server.get("/")[0] == 200
    assert server.stop() == 0

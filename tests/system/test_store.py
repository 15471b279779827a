"""The store: what comes back is told by its name."""

import os
import socket
from pathlib import Path

from serving.notify_socket import NotifySocket

from prefork.system import store
from prefork.system.activation import Passed
from prefork.system.notify import Notifier


def test_tells_sockets_of_units_from_what_was_left() -> None:
    memory = os.memfd_create("scoreboard")
    with socket.create_server(("127.0.0.1", 0)) as server:
        passed = [
            Passed("http", 900),
            Passed("prefork.socket", 901),
            Passed("prefork-web.socket", 902),
            Passed("prefork-web", 903),  # FileDescriptorName= of an operator
            Passed(store.name_of(server.fileno()), os.dup(server.fileno())),
            Passed("prefork-scoreboard-7", memory),
        ]
        units, left, useless = store.sort_out(passed, layout=7)
        assert units == passed[:4]
        (listener,) = left.listeners
        assert listener.getsockname() == server.getsockname()
        assert (left.scoreboard, useless) == (memory, [])
        left.close()
    os.close(memory)


def test_a_scoreboard_of_another_layout_is_of_no_use() -> None:
    fd = os.memfd_create("scoreboard")
    passed = [Passed("prefork-scoreboard-6", fd)]
    units, left, useless = store.sort_out(passed, layout=7)
    assert (units, left.scoreboard, useless) == ([], None, ["prefork-scoreboard-6"])
    assert not Path(f"/proc/self/fd/{fd}").exists()


def test_each_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    listening = NotifySocket(tmp_path / "notify")
    notifier = Notifier(listening.address)
    assert store.keep(notifier, "one", 0)
    assert store.keep(notifier, "other", 1)
    assert store.forget(notifier, "one")
    assert listening.told() == [
        "FDSTORE=1\nFDPOLL=0\nFDNAME=one",
        "FDSTORE=1\nFDPOLL=0\nFDNAME=other",
        "FDSTOREREMOVE=1\nFDNAME=one",
    ]
    assert listening.received == [1, 1, 0]
    notifier.close()
    listening.close()


def test_what_nobody_takes_is_kept_no_longer(tmp_path: Path) -> None:
    listening = NotifySocket(tmp_path / "notify")
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = store.name_of(server.fileno())
        passed = [Passed(name, os.dup(server.fileno()))]
        _, left, _ = store.sort_out(passed, layout=7)
        left.notifier = Notifier(listening.address)
        left.close()
        left.notifier.close()
    assert listening.told() == [f"FDSTOREREMOVE=1\nFDNAME={name}"]
    listening.close()

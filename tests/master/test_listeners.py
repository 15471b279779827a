"""The listeners of a server, from one configuration to the next."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.errors import SystemRefusal
from prefork.master.listeners import Listeners
from prefork.settings import Settings
from prefork.system.listen import Listener


@pytest.fixture
def opened() -> Iterator[list[Listeners]]:
    """Those that a test has opened; closed afterwards."""
    opened: list[Listeners] = []
    yield opened
    for each in opened:
        each.close()


def listen(opened: list[Listeners], *bind: str) -> Listeners:
    opened.append(Listeners(Settings(bind=bind)))
    return opened[-1]


def is_open(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_what_two_configurations_share_is_not_opened_again(
    opened: list[Listeners], tmp_path: Path
) -> None:
    """Behaviour 30."""
    one, two = (f"unix:{tmp_path / name}" for name in ("one", "two"))
    listeners = listen(opened, one)
    (kept,) = listeners.open
    wanted = listeners.prepare(Settings(bind=(two, one)))
    assert wanted[1] is kept
    assert [new.address.text for new in listeners.commit(wanted)] == [two]
    assert listeners.open == wanted


def longest_queue(listener: Listener) -> int:
    """The backlog as the kernel has it: tcpi_sacked of a listener, linux/tcp.h."""
    told = listener.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    return int.from_bytes(told[28:32], sys.byteorder)


def test_what_is_kept_is_adjusted(opened: list[Listeners], tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    bind = (f"unix:{path}", "127.0.0.1:0")
    opened.append(Listeners(Settings(bind=bind, backlog=100)))
    listeners = opened[-1]
    assert longest_queue(listeners.open[1]) == 100
    path.chmod(0o600)
    assert listeners.adjust(Settings(bind=bind, backlog=100)) == []
    assert path.stat().st_mode & 0o777 == 0o600  # nothing new, so it is left alone
    new = Settings(bind=bind, backlog=50, socket_mode=0o666)
    assert listeners.adjust(new) == []
    assert path.stat().st_mode & 0o777 == 0o666
    assert longest_queue(listeners.open[1]) == 50
    assert is_open(path)


def test_a_file_that_is_not_ours_any_more_is_left_alone(
    opened: list[Listeners], tmp_path: Path
) -> None:
    path = tmp_path / "app.sock"
    listeners = listen(opened, f"unix:{path}")
    path.unlink()
    path.touch(0o600)
    assert listeners.adjust(Settings(socket_mode=0o666)) == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_changed_is_told(
    opened: list[Listeners], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.sock"
    listeners = listen(opened, f"unix:{path}")

    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.chown", refuse)
    complaints = listeners.adjust(Settings(socket_mode=0o666))
    assert complaints == [f"{listeners.open[0].url}: Operation not permitted"]


def test_a_refusal_leaves_everything_as_it_was(
    opened: list[Listeners], tmp_path: Path
) -> None:
    listeners = listen(opened, f"unix:{tmp_path / 'old'}")
    before = list(listeners.open)
    bind = (f"unix:{tmp_path / 'new'}", f"unix:{tmp_path / 'no/such/place'}")
    with pytest.raises(SystemRefusal):
        listeners.prepare(Settings(bind=bind))
    assert listeners.open == before
    assert not (tmp_path / "new").exists()


def test_to_restore_is_to_do_without_what_is_refused(
    opened: list[Listeners], tmp_path: Path
) -> None:
    kept, gone, taken = (tmp_path / name for name in ("kept", "gone", "taken"))
    old = Settings(bind=tuple(f"unix:{path}" for path in (kept, gone, taken)))
    listeners = listen(opened, *old.bind)
    listeners.commit(listeners.prepare(Settings(bind=(f"unix:{kept}",))))
    assert not gone.exists()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(taken))
        other.listen()
        wanted, refusals = listeners.restore(old)
        assert [each.address.path for each in wanted] == [str(kept), str(gone)]
        assert [str(taken) in refusal for refusal in refusals] == [True]
        listeners.commit(wanted)
        assert is_open(kept) and is_open(gone)


def test_closing_closes_what_was_never_committed(
    opened: list[Listeners], tmp_path: Path
) -> None:
    """Behaviour 28: a stop in the middle of a reload leaves no socket file."""
    listeners = listen(opened, f"unix:{tmp_path / 'old'}")
    listeners.prepare(Settings(bind=(f"unix:{tmp_path / 'new'}",)))
    assert (tmp_path / "new").exists()
    listeners.close()
    assert list(tmp_path.iterdir()) == []


def test_an_inherited_listener_can_be_dropped_and_taken_up_again(
    opened: list[Listeners], tmp_path: Path
) -> None:
    """Behaviour 7: it is never closed; nobody could open it again."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        inherited, own = f"fd://{given.fileno()}", f"unix:{tmp_path / 'own'}"
        listeners = listen(opened, inherited)
        (first,) = listeners.open
        for _ in range(2):
            listeners.commit(listeners.prepare(Settings(bind=(own,))))
            assert listeners.all == [*listeners.open, first]
            listeners.commit(listeners.prepare(Settings(bind=(inherited,))))
            assert listeners.open == [first]
        socket.create_connection(given.getsockname()).close()
        given.accept()[0].close()
        first.socket.detach()


@pytest.mark.parametrize("place", ["unix:{}/app.sock", "127.0.0.1:{}"])
def test_a_listener_can_be_made_to_speak_another_protocol(
    opened: list[Listeners], tmp_path: Path, place: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = place.format(tmp_path if "unix" in place else port)
    listeners = listen(opened, place)
    (before,) = listeners.open
    scgi = f"scgi+{place}" if "unix" in place else f"scgi://{place}"
    for bind in (scgi, place):
        wanted = listeners.prepare(Settings(bind=(bind,)))
        assert not listeners.are_dropped(wanted)
        assert listeners.commit(wanted) == wanted
        assert [each.address.text for each in listeners.open] == [bind]
        assert listeners.open[0].socket is before.socket
    listeners.roll_back()
    assert before.socket.fileno() >= 0


def test_one_socket_does_not_speak_two_at_a_time(
    opened: list[Listeners], tmp_path: Path
) -> None:
    place = f"unix:{tmp_path / 'app.sock'}"
    listeners = listen(opened, place)
    with pytest.raises(SystemRefusal, match="another server listens there"):
        listeners.prepare(Settings(bind=(place, f"scgi+{place}")))
    assert is_open(tmp_path / "app.sock")


def test_an_inherited_listener_is_there_once_whatever_it_speaks(
    opened: list[Listeners], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        inherited, own = f"fd://{given.fileno()}", f"unix:{tmp_path / 'own'}"
        listeners = listen(opened, inherited)
        for bind in (own, f"scgi+{inherited}", own, inherited):
            listeners.commit(listeners.prepare(Settings(bind=(bind,))))
            assert len(listeners.all) == (2 if bind == own else 1)
        given.detach()


def test_an_inherited_listener_outlives_a_refusal(
    opened: list[Listeners], tmp_path: Path
) -> None:
    listeners = listen(opened, f"unix:{tmp_path / 'own'}")
    with socket.create_server(("127.0.0.1", 0)) as given:
        inherited = f"fd://{given.fileno()}"
        with pytest.raises(SystemRefusal):
            listeners.prepare(Settings(bind=(inherited, "unix:/no/such/place")))
        wanted = listeners.prepare(Settings(bind=(inherited,)))
        listeners.commit(wanted)
        given.detach()

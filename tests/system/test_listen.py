"""prefork.system.listen and closing: opened, closed to newcomers, closed."""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import eventually

from prefork.errors import SystemRefusal
from prefork.system.address import Address, AddressKind, parse_bind
from prefork.system.closing import close_door
from prefork.system.listen import Listener, close, open_listener, queue_depth

Opener = Callable[..., Listener]


def has_v6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


V6 = pytest.param(
    "[::1]:0", marks=pytest.mark.skipif(not has_v6(), reason="no IPv6 on this machine")
)
NAME = f"unix:@prefork-test-{os.getpid()}"
TCP = ["127.0.0.1:0", V6]
UNIX = ["unix:app.sock", pytest.param(NAME, id="unix:@name")]
every_kind = pytest.mark.parametrize("bind", [*TCP, *UNIX])
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(autouse=True)
def _in_its_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # tmp_path may be longer than a socket's path can be


@pytest.fixture
def opened() -> Iterator[Opener]:
    """open_listener, and close of all that it opened."""
    with contextlib.ExitStack() as stack:

        def opened(bind: str, **options: object) -> Listener:
            listener = open_listener(parse_bind(bind), **options)
            stack.callback(close, listener)
            return listener

        yield opened


@pytest.fixture
def client() -> Iterator[Callable[[Listener], socket.socket]]:
    """A newcomer: a socket whose connect has been started, without waiting."""
    with contextlib.ExitStack() as stack:

        def client(listener: Listener) -> socket.socket:
            sock = stack.enter_context(socket.socket(listener.socket.family))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(listener.socket.getsockname())
            return sock

        yield client


Newcomer = Callable[[Listener], socket.socket]


def accept_all(listener: Listener) -> list[bytes]:
    """What each of those that can be accepted has said."""
    said = []
    with contextlib.suppress(BlockingIOError):
        while True:
            sock, _ = listener.socket.accept()
            with sock:
                sock.settimeout(1)
                said.append(sock.recv(100))
    return said


def is_settled(sock: socket.socket, *, within: float) -> bool:
    """Has its connect come to an end, good or bad?"""
    return bool(select.select([], [sock], [], within)[1])


# Opening


@every_kind
def test_connects_a_client(opened: Opener, client: Newcomer, bind: str) -> None:
    listener = opened(bind)
    client(listener).send(b"hello")
    assert accept_all(listener) == [b"hello"]


@every_kind
def test_waits_for_nobody_and_is_closed_by_exec(opened: Opener, bind: str) -> None:
    listener = opened(bind)
    assert not listener.socket.getblocking()
    assert not listener.socket.get_inheritable()
    assert not listener.is_inherited


@pytest.mark.parametrize("bind", TCP)
def test_what_is_accepted_sends_at_once(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    client(listener)
    sock, _ = listener.socket.accept()
    with sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_name_tells_the_port_that_it_got(opened: Opener) -> None:
    listener = opened("127.0.0.1:0")
    port = listener.socket.getsockname()[1]
    assert port
    assert listener.name == f"127.0.0.1:{port}"
    assert listener.url == f"http://127.0.0.1:{port}"
    assert listener.address.text == "127.0.0.1:0"


def test_the_name_of_a_unix_socket_is_its_path(opened: Opener) -> None:
    assert opened("unix:app.sock").url == "http+unix:app.sock"
    assert opened(NAME).name == NAME


@pytest.mark.parametrize("bind", [V6])
def test_v6_and_v4_are_two_binds(opened: Opener, bind: str) -> None:
    port = opened("[::]:0").socket.getsockname()[1]
    opened(f"0.0.0.0:{port}", tries=1)


def test_restarts_although_old_connections_linger(
    opened: Opener, client: Newcomer
) -> None:
    old = opened("127.0.0.1:0")
    newcomer = client(old)
    sock, _ = old.socket.accept()
    sock.close()  # the side that closes first is the one that keeps TIME_WAIT
    newcomer.close()
    name = old.name
    close(old)
    opened(name, tries=1)


# Refusals


def test_tries_again_while_the_address_is_in_use(opened: Opener) -> None:
    old = opened("127.0.0.1:0")
    pauses = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            close(old)

    opened(old.name, sleep=sleep)
    assert pauses == [0.5, 0.5]


@every_kind
def test_gives_up_when_another_server_stays(opened: Opener, bind: str) -> None:
    listener = opened(bind)
    pauses: list[float] = []
    with pytest.raises(SystemRefusal) as caught:
        opened(listener.name, sleep=pauses.append)
    assert str(caught.value) == (
        f"cannot bind {listener.name}: address already in use "
        "(another server listens there)"
    )
    assert pauses == [0.5] * 4


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        ("192.0.2.1:0", r"assign requested address \(no interface of this machine"),
        ("unix:nowhere/app.sock", r"no such file or directory \(make its directory"),
        ("name.invalid:0", r"cannot resolve name\.invalid: .* \(use an address"),
    ],
)
def test_says_what_the_system_refused(opened: Opener, bind: str, told: str) -> None:
    with pytest.raises(SystemRefusal, match=told):
        opened(bind)


def test_leaves_no_file_behind_when_it_fails(opened: Opener) -> None:
    with pytest.raises(OverflowError):
        opened("unix:app.sock", backlog=2**40)
    assert not os.path.exists("app.sock")


# Unix sockets


@root_only
def test_gives_the_file_to_its_owner(opened: Opener) -> None:
    opened("unix:app.sock", socket_mode=0o640, socket_owner=(65534, 12345))
    found = os.stat("app.sock")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 12345, 0o640)


def test_replaces_a_stale_socket(opened: Opener, client: Newcomer) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind("app.sock")
    listener = opened("unix:app.sock", tries=1)
    client(listener).send(b"hello")
    assert accept_all(listener) == [b"hello"]


def test_removes_its_file_and_not_its_successors(opened: Opener) -> None:
    """Behaviour 39: nobody removes the file of somebody else.

    The rest of it is of upgrades that fork, with two masters side by side; ours do not.
    """
    old = opened("unix:app.sock")
    os.unlink("app.sock")
    new = opened("unix:app.sock")
    close(old)
    assert os.path.exists("app.sock")
    close(new)
    assert not os.path.exists("app.sock")


# Inherited sockets


def pass_on(sock: socket.socket) -> Address:
    """Pass a socket on by number, as a supervisor would."""
    number = os.dup(sock.fileno())
    os.set_inheritable(number, True)
    return Address(AddressKind.FD, number=number)


@every_kind
def test_adopts_a_listening_socket(opened: Opener, client: Newcomer, bind: str) -> None:
    giver = opened(bind)
    listener = opened(pass_on(giver.socket).text)
    assert listener.is_inherited
    assert listener.name == giver.name
    assert not listener.socket.get_inheritable()
    client(listener).send(b"hello")
    assert accept_all(listener) == [b"hello"]


@every_kind
def test_leaves_an_inherited_socket_to_its_owner(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    giver = opened(bind)
    listener = opened(pass_on(giver.socket).text)
    close_door(listener)
    close(listener)
    client(giver).send(b"hello")
    assert accept_all(giver) == [b"hello"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (socket.SOCK_STREAM, r"nobody has called listen\(\) on it"),
        (socket.SOCK_DGRAM, "not a stream socket"),
    ],
)
def test_refuses_an_unfit_socket_and_leaves_it_open(
    kind: socket.SocketKind, reason: str
) -> None:
    with socket.socket(type=kind) as sock:
        with pytest.raises(SystemRefusal, match=rf"listen on fd://\d+: {reason}"):
            open_listener(Address(AddressKind.FD, number=sock.fileno()))
        os.fstat(sock.fileno())


def test_refuses_what_is_no_socket(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w") as file,
        pytest.raises(SystemRefusal, match="non-socket"),
    ):
        open_listener(Address(AddressKind.FD, number=file.fileno()))


def test_refuses_a_number_that_is_not_open() -> None:
    with pytest.raises(SystemRefusal, match=r"fd://98765: bad file descriptor \(pass"):
        open_listener(Address(AddressKind.FD, number=98765))


# The door


@every_kind
def test_who_was_queued_is_still_accepted(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    queued = [client(listener) for _ in range(5)]
    close_door(listener)
    for number, sock in enumerate(queued):
        sock.send(b"%d" % number)
    assert accept_all(listener) == [b"0", b"1", b"2", b"3", b"4"]


@every_kind
def test_who_was_queued_can_talk_after_the_door_is_closed(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    queued = client(listener)
    close_door(listener)
    queued.send(b"question")
    sock, _ = listener.socket.accept()
    with sock:
        assert sock.recv(100) == b"question"
        sock.send(b"answer")
    assert select.select([queued], [], [], 1)[0]
    assert queued.recv(100) == b"answer"
    assert queued.recv(100) == b""


@pytest.mark.parametrize("bind", TCP)
def test_a_newcomer_waits_and_is_not_reset(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    close_door(listener)
    newcomer = client(listener)
    assert not is_settled(newcomer, within=0.05)
    assert accept_all(listener) == []


@pytest.mark.slow
@pytest.mark.parametrize("bind", TCP)
def test_a_newcomer_who_waited_is_refused_after_the_close(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    close_door(listener)
    newcomer = client(listener)
    close(listener)
    assert is_settled(newcomer, within=5)
    refusal = newcomer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert refusal == errno.ECONNREFUSED


@pytest.mark.slow
@pytest.mark.parametrize("bind", TCP)
def test_a_newcomer_who_waited_is_the_successors(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    old = opened(bind)
    close_door(old)
    newcomer = client(old)
    name = old.name
    close(old)
    new = opened(name)
    assert is_settled(newcomer, within=5)
    newcomer.send(b"hello")
    assert accept_all(new) == [b"hello"]


@pytest.mark.parametrize("bind", UNIX)
def test_a_newcomer_on_a_unix_socket_is_refused(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    listener = opened(bind)
    close_door(listener)
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        client(listener)


def test_the_path_is_free_for_a_successor_once_the_door_is_closed(
    opened: Opener, client: Newcomer
) -> None:
    old = opened("unix:app.sock")
    client(old).send(b"old")
    close_door(old)
    new = opened("unix:app.sock", tries=1)
    client(new).send(b"new")
    assert (accept_all(old), accept_all(new)) == ([b"old"], [b"new"])


class Unprivileged(socket.socket):
    """A socket of a process that may not attach filters."""

    def setsockopt(self, level: int, option: int, *value: object) -> None:
        if option == 26:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        super().setsockopt(level, option, *value)


@pytest.mark.parametrize("bind", TCP)
def test_closes_the_door_without_privileges_too(
    opened: Opener, client: Newcomer, bind: str
) -> None:
    usual = opened(bind)
    with Unprivileged(fileno=os.dup(usual.socket.fileno())) as unprivileged:
        listener = Listener(usual.address, unprivileged)
        queued = client(listener)
        close_door(listener)
        queued.send(b"queued")
        assert not is_settled(client(listener), within=0.05)
        assert accept_all(listener) == [b"queued"]


# The queue


@every_kind
def test_knows_how_many_wait(opened: Opener, client: Newcomer, bind: str) -> None:
    listener = opened(bind)
    assert queue_depth(listener) == 0
    for _ in range(3):
        client(listener).send(b"hello")
    eventually(lambda: queue_depth(listener) == 3)
    accept_all(listener)
    assert queue_depth(listener) == 0

"""How commands find a running master, and ask it."""

import json
import os
import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefork.errors import CommandError
from prefork.monitor.escape import escape_unprintable
from prefork.system.local import ROOT, Peer, connect, find_control_names, peer_of

TIMEOUT = 10.0  # seconds; a master answers in milliseconds, unless it is stopped
INVISIBLE = 0  # the pid of a process that our pid namespace does not have
NO_ANSWER = "the master does not answer: is it stopped?  Its log may tell why"
NOT_FOUND = " (one that was started with --control PATH is found by the same)"

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunningMaster:
    """A master that listens: a path or @NAME, and the pid that the kernel tells."""

    where: str
    pid: int


def add_choice(parser: ArgumentParser) -> None:
    """Let the command line say which master is meant."""
    group = parser.add_argument_group(
        "which master", "Without one of these: the only one there is."
    )
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--pid", type=int, metavar="PID", help="the one with that pid")
    choice.add_argument("--pidfile", metavar="FILE", help="the one of that --pid file")
    choice.add_argument("--control", metavar="PATH", help="the one of that --control")


def choose(options: Namespace) -> RunningMaster:
    """Find the master that is meant; CommandError if there is none, or several."""
    if options.control:
        where = _name(options.control)
        return RunningMaster(where, _look_at(where).pid)
    masters = find_masters()
    pid = _read_pid(options.pidfile) if options.pidfile else options.pid
    if pid is not None:
        if not (found := [master for master in masters if master.pid == pid]):
            raise CommandError(
                f"no master with pid {pid} listens to this user{NOT_FOUND}"
            )
        return found[0]
    if not masters:
        raise CommandError(f"no master runs that listens to this user{NOT_FOUND}")
    if len(masters) > 1:
        lines = [f"  --pid {master.pid}  {_describe(master)}" for master in masters]
        raise CommandError("\n".join(["several masters run; choose one:", *lines]))
    return masters[0]


def _name(control: str) -> str:
    # As --bind has it, so that one may copy from there.
    return control.removeprefix("unix:")


def _read_pid(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read())
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise CommandError(f"there is no pid in {path}") from None


def _describe(master: RunningMaster) -> str:
    try:
        return escape_unprintable(ask(master, "status")["name"])
    except CommandError as error:
        return str(error)


def find_masters() -> list[RunningMaster]:
    """Find all that listen on a name of their own and would listen to this user.

    Not those of a neighbour: containers may share a network, and so these names, but
    no processes.
    """
    masters = []
    for where in find_control_names():
        try:
            peer = _look_at(where)
        except CommandError:
            continue  # another user's, or it has just left
        if peer.pid != INVISIBLE and peer.would_hear_us():  # root's do not hear all
            masters.append(RunningMaster(where, peer.pid))
    return sorted(masters, key=lambda master: master.pid)


def _look_at(where: str) -> Peer:
    connection, peer = _connect(where)
    connection.close()
    return peer


def _connect(where: str) -> tuple[socket.socket, Peer]:
    try:
        connection = connect(where, timeout=TIMEOUT)
    except BlockingIOError:
        raise CommandError(NO_ANSWER) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"no master listens on {where}: {reason}") from None
    peer = peer_of(connection)
    # Everybody may take such a name: whoever has it could tell us anything.
    if os.geteuid() != ROOT and not peer.may_command_us():
        connection.close()
        raise CommandError(f"{where} belongs to another user ({peer.uid})")
    return connection, peer


def ask(master: RunningMaster, verb: str, **fields: Any) -> Fields:
    """Ask, and return the answer; raises CommandError if it is an error, or none."""
    for answer in follow(master, verb, **fields):
        return answer
    raise CommandError("the master has ended the conversation")


def knows_pids(master: RunningMaster, status: Fields) -> bool:
    """Are the pids that a master tells ours too?  Not if it is in a container."""
    return bool(status["pid"] == master.pid)


def follow(master: RunningMaster, verb: str, **fields: Any) -> Iterator[Fields]:
    """Ask, and yield each line of the answer as it comes; raises CommandError."""
    connection, _ = _connect(master.where)
    with connection:
        try:
            connection.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
            for line in connection.makefile("rb"):
                if not line.endswith(b"\n"):
                    return  # the master was killed in the middle of it
                answer: Fields = json.loads(line)
                if "error" in answer:
                    raise CommandError(escape_unprintable(str(answer["error"])))
                yield answer
                connection.settimeout(None)  # the next line takes what it takes
        except TimeoutError:
            raise CommandError(NO_ANSWER) from None
        except ConnectionError:
            return

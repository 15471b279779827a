"""The control socket: operators ask, the master answers, and waits for nobody.

A connection carries one question and its answer, as lines of JSON:

    {"verb": "scale", "workers": "+1"}
    {"workers": "5", "before": "4"}

What is wrong is answered by {"error": "..."}.  The answer to some questions is a
story, a line for each step, and one with "done" at its end.  Then the master
closes.  Only its own user and root are heard.

A caller who sends half a question, or does not take the answer, is left after
some seconds; until then it costs a descriptor.
"""

import json
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from prefork.errors import CommandError
from prefork.master.reactor import Reactor
from prefork.monitor.log import Log
from prefork.system.listen import Listener
from prefork.system.local import Peer, peer_of

PATIENCE = 5.0  # seconds for the question, and again for each part of the answer
LONGEST_QUESTION = 4096  # bytes
LONGEST_ANSWER = 4 << 20  # bytes that wait to be taken; 512 workers are 0.3 MB
MOST_CALLERS = 200
ACCEPTED_AT_ONCE = 64  # a flood of them must not keep the loop
LOOKS = ("status",)  # verbs that change nothing, and are not logged
PAUSE = 1.0  # seconds without accepting, when there was no descriptor for it
COMPLAIN_EVERY = 60.0  # seconds

Fields = dict[str, Any]
# A story says None when there is nothing new; it is asked at each turn.
Story = Iterator[Fields | None]
Verb = Callable[[Fields], Fields | Story]


class Control:
    """Everyone who is connected to the control socket, if there is one."""

    def __init__(
        self,
        listener: Listener | None,
        reactor: Reactor,
        log: Log,
        verbs: Mapping[str, Verb],
    ) -> None:
        self._listener = listener
        self._reactor = reactor
        self._log = log
        self._verbs = verbs
        self._callers: list[Caller] = []
        self._is_listening = False
        self._listen_at = 0.0  # not before
        self._complain_at = 0.0  # not again before

    def turn(self, now: float) -> None:
        """Go on with the stories, leave those who are too slow, hear new ones."""
        for caller in self._callers:
            caller.turn(now)
        self._callers = [caller for caller in self._callers if not caller.is_gone]
        has_room = len(self._callers) < MOST_CALLERS
        may_listen = has_room and now >= self._listen_at
        if self._listener and self._is_listening != may_listen:
            self._toggle(self._listener.socket.fileno())

    def _toggle(self, fd: int) -> None:
        """Who is not accepted waits in the queue, and the loop does not spin."""
        self._is_listening = not self._is_listening
        if self._is_listening:
            self._reactor.watch(fd, self._accept)
        else:
            self._reactor.unwatch(fd)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            for _ in range(ACCEPTED_AT_ONCE):
                connection, _ = self._listener.socket.accept()
                self._meet(connection)
        except (BlockingIOError, ConnectionError):
            pass
        except OSError as error:  # no descriptor left
            self._wait_for_room(error, time.monotonic())

    def _wait_for_room(self, error: OSError, now: float) -> None:
        self._listen_at = now + PAUSE
        if now >= self._complain_at:
            self._complain_at = now + COMPLAIN_EVERY
            self._log.warning("cannot hear commands", reason=error.strerror)

    def _meet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        peer = peer_of(connection)
        if peer.may_command_us():
            self._callers.append(self._make_caller(connection, peer))
            return
        refusal = {"error": f"user {peer.uid} may not: ask as the master's, or root"}
        try:
            connection.send(_format(refusal))
        except OSError:
            pass  # it has not waited for that
        connection.close()

    def _make_caller(self, connection: socket.socket, peer: Peer) -> "Caller":
        answer = partial(self._answer, peer)
        return Caller(connection, self._reactor, answer)

    def _answer(self, peer: Peer, question: bytes) -> Fields | Story:
        try:
            fields = json.loads(question)
            name = fields.pop("verb")
            verb = self._verbs[name]
        except (ValueError, RecursionError):
            return {"error": "that is not JSON"}
        except (AttributeError, KeyError, TypeError):
            known = ", ".join(self._verbs)
            return {"error": f'write {{"verb": VERB}}; there are {known}'}
        if name not in LOOKS:
            self._log.info(
                "received command",
                verb=name,
                arguments=json.dumps(fields),
                pid=peer.pid,
                uid=peer.uid,
            )
        try:
            return verb(fields)
        except CommandError as error:
            return {"error": str(error)}

    # Being handed over to another program

    def state(self) -> list[dict[str, int]]:
        """Those who wait for the end of a story; the others will find a hang-up."""
        return [
            {"fd": caller.fileno()}
            for caller in self._callers
            if not caller.is_gone and caller.hears_a_story
        ]

    def restore(self, state: list[dict[str, int]], tell: Callable[[], Story]) -> None:
        """Go on with what `tell()` gives for each of them."""
        for each in state:
            connection = socket.socket(fileno=each["fd"])
            connection.setblocking(False)
            caller = self._make_caller(connection, peer_of(connection))
            caller.listen_to(tell())
            self._callers.append(caller)


class Caller:
    """One connection: a question, its answer, the end."""

    def __init__(
        self,
        connection: socket.socket,
        reactor: Reactor,
        answer: Callable[[bytes], Fields | Story],
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._answer = answer
        self._question = b""
        self._outgoing = b""
        self._story: Story | None = None
        self._deadline = time.monotonic() + PATIENCE
        self.is_gone = False
        reactor.watch(connection.fileno(), self._hear)

    def fileno(self) -> int:
        return self._connection.fileno()

    @property
    def hears_a_story(self) -> bool:
        return self._story is not None

    def listen_to(self, story: Story) -> None:
        """It is told from the next turn on."""
        self._story = story
        self._deadline = float("inf")

    def turn(self, now: float) -> None:
        """What is new, for someone who listens to a story?"""
        if self._story is not None and not self.is_gone:
            self._tell()
        if now >= self._deadline:
            self._leave()

    def _hear(self) -> None:
        if self._outgoing:
            self._flush()
        elif self._story is not None:
            self._leave()  # only a hang-up is heard during a story
        else:
            self._read()

    def _read(self) -> None:
        try:
            data = self._connection.recv(LONGEST_QUESTION)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._question += data
        question, end, _ = self._question.partition(b"\n")
        if end:
            self._take(self._answer(question))
        elif len(self._question) > LONGEST_QUESTION:
            self._take({"error": f"a question has {LONGEST_QUESTION} bytes at most"})
        elif not data:
            self._leave()

    def _take(self, answer: Fields | Story) -> None:
        if isinstance(answer, dict):
            self._outgoing = _format(answer)
        else:
            self._story = answer
        self._tell()

    def _tell(self) -> None:
        """Say what is to be said, up to the first pause of the story."""
        while self._story is not None and len(self._outgoing) < LONGEST_ANSWER:
            try:
                line = next(self._story)
            except StopIteration:
                self._story = None
                break
            if line is None:
                break
            self._outgoing += _format(line)
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self._connection.send(self._outgoing) if self._outgoing else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._leave()
            return
        self._outgoing = self._outgoing[sent:]
        self._wait(has_moved=bool(sent))

    def _wait(self, *, has_moved: bool) -> None:
        fd = self._connection.fileno()
        if self._outgoing:
            self._reactor.expect(fd, select.EPOLLOUT)
            since_now = time.monotonic() + PATIENCE
            self._deadline = since_now if has_moved else min(self._deadline, since_now)
        elif self._story is not None:
            self._reactor.expect(fd, 0)
            self._deadline = float("inf")
        else:
            self._leave()

    def _leave(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            self._reactor.unwatch(self._connection.fileno())
            self._connection.close()


def _format(fields: Fields) -> bytes:
    return json.dumps(fields).encode() + b"\n"

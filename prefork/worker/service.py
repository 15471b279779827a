"""Serving one request: from its variables to its line in the access log."""

import os
import time
from collections.abc import Callable
from typing import BinaryIO

from prefork.errors import EXIT_OK, ClientGone, ProtocolError
from prefork.monitor.access import AccessLog, Entry
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import WorkerSlot
from prefork.protocols.request import Headers, Request
from prefork.settings import Settings
from prefork.worker.body import open_body
from prefork.worker.client import Client
from prefork.worker.clock import DateText
from prefork.worker.limits import ClientDeadlines
from prefork.worker.reply import Reply, ReplyTerms
from prefork.worker.waiting import Waiting

Gateway = Callable[[Request, BinaryIO, Reply], None]


class Service:
    """Puts a client's request through the gateway; one for a worker's life."""

    def __init__(
        self,
        settings: Settings,
        *,
        gateway: Gateway,
        slot: WorkerSlot,
        log: Log,
        access_log: AccessLog | None,
        deadlines: ClientDeadlines,
    ) -> None:
        self._gateway = gateway
        self._is_copy = False
        self._serving = -1  # the client's descriptor
        self._slot = slot
        self._log = log
        self._access_log = access_log
        self._deadlines = deadlines
        self._date = DateText()
        self._waiting = Waiting(slot)
        self._timeout = int(settings.timeout * 1e9)
        self._may_keep = {
            is_front_end: deadlines.for_idle(is_front_end=is_front_end) > 0
            for is_front_end in (False, True)
        }
        self._terms = ReplyTerms(self._waiting, deadlines.write, settings.sendfile)

    def serve(self, client: Client, *, may_keep: bool) -> bool:
        """Answer one request; True if the connection may carry another."""
        request = client.request
        assert request is not None
        variables = request.variables
        started = time.monotonic_ns()
        self._slot.begin(
            f"{variables['REMOTE_ADDR']} {variables['REQUEST_METHOD']} "
            f"{variables['REQUEST_URI']}".encode("latin-1"),
            now=started,
            deadline=started + self._timeout if self._timeout else 0,
        )
        reply = Reply(
            client,
            self._terms,
            date=self._date(),
            may_keep=may_keep and self._may_keep[client.conversation.is_front_end],
            now=started,
        )
        note = self._call_gateway(client, request, reply)
        ended = time.monotonic_ns()
        if reply.status >= "5" or (reply.is_aborted and not note):
            self._slot.count_error()
        self._slot.end(now=ended, sent=reply.sent)
        if reply.problem:
            self._log.warning(
                "bad answer", problem=reply.problem, path=variables.get("PATH_INFO")
            )
        if reply.looks_whole:
            reason = "its length was not said: over a unix socket it may look whole"
            self._log.warning(
                "cut answer", path=variables.get("PATH_INFO"), reason=reason
            )
        if self._access_log is not None:
            seconds = (ended - started) / 1e9
            self._note(
                variables,
                status=reply.status,
                headers=reply.headers,
                sent=reply.sent,
                seconds=seconds,
                note=note,
            )
        return reply.keep_alive

    def _call_gateway(self, client: Client, request: Request, reply: Reply) -> str:
        """Return why the request was cut; "" if it was not."""
        body = open_body(client, waiting=self._waiting, deadlines=self._deadlines)
        self._serving = client.fd
        try:
            self._gateway(request, body, reply)
        except ClientGone as gone:
            was_answered = reply.started
            reply.give_up(gone)
            log = self._log.debug if was_answered else self._log.info
            log("lost client", reason=gone.reason, path=request.variables["PATH_INFO"])
            return gone.reason
        finally:
            self._serving = -1
            if self._is_copy:  # a fork of the application's has returned from it
                os._exit(EXIT_OK)
        return ""

    @property
    def is_serving(self) -> bool:
        return self._serving >= 0

    def descriptors(self) -> list[int]:
        return [self._serving] if self._serving >= 0 else []

    def become_copy(self) -> None:
        """We are a child of the application's: let the parent answer and go on."""
        self._is_copy = True

    def refuse(self, client: Client, error: ProtocolError) -> None:
        """Answer a request that no application will see."""
        answer = client.conversation.refuse(error, date=self._date())
        try:
            client.transmit(answer)
        except ClientGone:
            pass  # it is noted all the same
        self._slot.count_error()
        log = self._log.warning if is_misled(client, error) else self._log.debug
        log("refused request", reason=error.reason, status=error.status)
        if self._access_log is not None:
            request, conversation = client.request, client.conversation
            variables = request.variables if request else conversation.remote
            line = conversation.request_line
            self._note(
                variables,
                status=str(error.status),
                note=error.reason,
                request_line=line,
            )

    def _note(
        self,
        variables: dict[str, str],
        *,
        status: str,
        note: str,
        headers: Headers = (),
        sent: int = 0,
        seconds: float = 0.0,
        request_line: str = "",
    ) -> None:
        """Write a line of the access log; `note` says why it was cut or refused."""
        assert self._access_log is not None
        self._access_log.write(
            Entry(
                variables=variables,
                request_line=request_line,
                status=int(status[:3] or 0),
                headers=list(headers),
                sent=sent,
                seconds=seconds,
                started=time.time() - seconds,
                pid=os.getpid(),
                note=note,
            )
        )


def is_misled(client: Client, error: ProtocolError) -> bool:
    """Is it the front end that cannot be understood, rather than its client?

    Then it is wrongly configured, and all of its requests will fail.  A body that is
    too long (413) is the client's doing.
    """
    is_head = client.request is None
    return client.conversation.is_front_end and is_head and error.status != 413

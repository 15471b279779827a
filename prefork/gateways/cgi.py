"""The CGI gateway: runs an RFC 3875 program for each request."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from prefork.errors import ProtocolError
from prefork.gateways.cgi_head import format_status
from prefork.gateways.cgi_run import Run, Running, Timeout
from prefork.gateways.cgi_site import Target, encode
from prefork.gateways.cgi_variables import find_arguments, make_environment
from prefork.protocols.request import Reply, Request

MOST_REDIRECTS = 10  # local ones, one after the other
PAGE_HEADERS = [("Content-Type", "text/plain; charset=utf-8")]


class Programs(Protocol):
    """Which program a request means: cgi_site.py."""

    def find(self, variables: Mapping[str, str]) -> Target: ...


class Cgi:
    """The gateway; one for the life of a worker.

    `start` is system/program.py's; `complain(event, **fields)` writes to the log;
    `alive(seconds)` puts the request's deadline off; `patience`: seconds in which a
    program has to do something, 0: for ever; `extra`: variables for all programs.
    """

    def __init__(
        self,
        programs: Programs,
        *,
        start: Callable[..., Running],
        complain: Callable[..., None],
        alive: Callable[[float], None],
        patience: float,
        extra: Mapping[str, str],
        limits: Mapping[int, int],
    ) -> None:
        self._programs = programs
        self._start = start
        self._complain = complain
        self._alive = alive
        self._patience = patience
        self._extra = extra
        self._limits = limits
        self._stragglers: list[Running] = []  # answered, and still running

    def __call__(self, request: Request, body: BinaryIO, reply: Reply) -> None:
        """Answer one request; raises ClientGone when there is no one to answer."""
        self._stragglers = [each for each in self._stragglers if not each.has_ended()]
        variables = request.variables
        has_body = request.body is not None
        for _ in range(MOST_REDIRECTS):
            redirect = self._answer(variables, body if has_body else None, reply)
            if not redirect:
                return
            variables, has_body = redirected(variables, redirect), False
        self._fail(variables, reply, 500, "too many local redirects")

    def _answer(
        self, variables: dict[str, str], body: BinaryIO | None, reply: Reply
    ) -> str:
        """Run one program; the path of a local redirect, or "" when it is over."""
        try:
            target = self._programs.find(variables)
        except ProtocolError as error:
            self._fail(variables, reply, error.status, error.reason)
            return ""
        try:
            program = self._run(target, variables, has_input=body is not None)
        except OSError as error:
            reason = f"cannot start {target.file}: {error.strerror}"
            self._fail(variables, reply, 500, reason)
            return ""
        return self._relay(program, target, variables, body, reply)

    def _run(
        self, target: Target, variables: dict[str, str], *, has_input: bool
    ) -> Running:
        known = complete(variables, target)
        return self._start(
            encode(target.file),
            [encode(word) for word in find_arguments(variables)],
            make_environment(known, self._extra),
            directory=encode(target.file.rpartition("/")[0] or "/"),
            has_input=has_input,
            limits=self._limits,
        )

    def _relay(
        self,
        program: Running,
        target: Target,
        variables: dict[str, str],
        body: BinaryIO | None,
        reply: Reply,
    ) -> str:
        run = Run(
            program,
            body,
            reply,
            patience=self._patience,
            told=lambda data: self._pass_on(data, target, reply),
            alive=self._alive,
        )
        is_over = False
        try:
            run.pump()
            is_over = True
        except Timeout:
            reason = f"{target.file} was silent for {self._patience:g} s"
            self._fail(variables, reply, 504, reason)
        except ValueError as error:
            self._fail(variables, reply, 500, f"{target.file}: {error}")
        finally:
            if not run.end(kill=not is_over):
                self._stragglers.append(program)
        if program.status:
            self._complain("program failed", file=target.file, status=program.status)
        return run.redirect

    def _pass_on(self, data: bytes, target: Target, reply: Reply) -> None:
        """What a program says on stderr is for the log."""
        text = data.decode("utf-8", "replace").rstrip("\n")
        self._complain("program says", file=target.file, text=text)

    def _fail(
        self, variables: dict[str, str], reply: Reply, status: int, reason: str
    ) -> None:
        self._complain(
            "cannot answer",
            method=variables["REQUEST_METHOD"],
            path=variables["PATH_INFO"],
            answer="cut" if reply.started else str(status),
            reason=reason,
        )
        if reply.started:
            reply.abort()
            return
        line = format_status(str(status))
        reply.send(line, PAGE_HEADERS, line.encode() + b"\n", complete=True)


def complete(variables: Mapping[str, str], target: Target) -> dict[str, str]:
    """The variables as that program gets them (RFC 3875 4.1)."""
    known = {
        **variables,
        "SCRIPT_NAME": target.script_name,
        "SCRIPT_FILENAME": target.file,
        "DOCUMENT_ROOT": target.document_root,
        "GATEWAY_INTERFACE": "CGI/1.1",
    }
    # RFC 3875 4.1.5, 4.1.6: there are none "if the path is NULL".
    known.pop("PATH_TRANSLATED", None)
    known.pop("PATH_INFO", None)
    if target.path_info:
        known["PATH_INFO"] = target.path_info
        known["PATH_TRANSLATED"] = target.document_root + target.path_info
    return known


def redirected(variables: dict[str, str], location: str) -> dict[str, str]:
    """The request of a local redirect (RFC 3875 6.2.2): a GET of that path."""
    path, _, query = location.partition("?")
    kept = {
        name: value
        for name, value in variables.items()
        if name not in ("CONTENT_LENGTH", "CONTENT_TYPE", "SCRIPT_FILENAME")
    }
    method = "HEAD" if variables["REQUEST_METHOD"] == "HEAD" else "GET"
    return {
        **kept,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": location,
    }

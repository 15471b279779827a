"""The CGI gateway: runs an RFC 3875 program for each request."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from prefork.errors import ClientGone, ProtocolError
from prefork.gateways.cgi_head import format_status
from prefork.gateways.cgi_run import CgiRun, Running, Timeout, describe
from prefork.gateways.cgi_site import Target, encode, readable
from prefork.gateways.cgi_source import Open, Source, open_source
from prefork.gateways.cgi_variables import complete, find_arguments, make_environment
from prefork.protocols.path import decode_percent
from prefork.protocols.request import Reply, Request

MOST_REDIRECTS = 10  # local ones, one after the other
PAGE_HEADERS = [("Content-Type", "text/plain; charset=utf-8")]


class Programs(Protocol):
    """Which program a request means: cgi_site.py."""

    def find(self, variables: Mapping[str, str]) -> Target: ...
    def find_mount(self, variables: Mapping[str, str]) -> str: ...


class Cgi:
    """The gateway; one for the life of a worker.

    `start` is system/program.py's, `open_scratch` scratch.py's; `complain(event,
    **fields)` writes to the log; `runs(pid)` tells who is running, 0: nobody;
    `alive(seconds)` puts the request's deadline off; `patience`: seconds in which a
    program has to do something, 0: for ever; `extra`: variables for all programs;
    `limits`: value by RLIMIT_*.
    `tells_front_end`: what goes to stderr is for the front end's log too, if the
    protocol has a way.
    """

    def __init__(
        self,
        programs: Programs,
        *,
        start: Callable[..., Running],
        open_scratch: Open,
        complain: Callable[..., None],
        runs: Callable[[int], None],
        alive: Callable[[float], None],
        patience: float,
        extra: Mapping[str, str],
        limits: Mapping[int, int],
        tells_front_end: bool = False,
    ) -> None:
        self._programs = programs
        self._start = start
        self._open_scratch = open_scratch
        self._complain = complain
        self._runs = runs
        self._alive = alive
        self._patience = patience
        self._extra = extra
        self._limits = limits
        self._tells_front_end = tells_front_end
        self._stragglers: list[Running] = []  # answered, and still running

    def __call__(self, request: Request, body: BinaryIO, reply: Reply) -> None:
        """Answer one request; raises ClientGone when there is no one to answer."""
        self._stragglers = [each for each in self._stragglers if not each.has_ended()]
        variables = request.variables
        try:
            target = self._programs.find(variables)
            source = open_source(request, body, self._open_scratch)
        except ProtocolError as error:
            self._fail(variables, reply, error.status, error.reason)
        except ClientGone:  # which is an OSError too
            raise
        except OSError as error:
            reason = f"cannot keep the body: {error.strerror}"
            self._fail(variables, reply, 500, reason)
        else:
            try:
                self._dispatch(target, variables, source, reply)
            finally:
                source.close()

    def _dispatch(
        self, target: Target, variables: dict[str, str], source: Source, reply: Reply
    ) -> None:
        """Run the program, and those that it redirects to."""
        for _ in range(MOST_REDIRECTS):
            location = self._answer(target, variables, source, reply)
            if not location:
                return
            source = Source()
            try:
                mount = self._programs.find_mount(variables)
                variables = redirected(variables, location, mount)
                target = self._programs.find(variables)
            except ProtocolError:
                # The path is none of ours: the client shall ask for it, since a web
                # server may have the rest of the site.
                head = [("Location", location)]
                reply.send("302 Found", head, b"", complete=True)
                return
        self._fail(variables, reply, 500, "too many local redirects")

    def _answer(
        self, target: Target, variables: dict[str, str], source: Source, reply: Reply
    ) -> str:
        """Run one program; the path of a local redirect, or "" when it is over."""
        try:
            program = self._start(
                encode(target.file),
                [encode(word) for word in find_arguments(variables)],
                make_environment(
                    complete(variables, target, length=source.length), self._extra
                ),
                directory=encode(target.file.rpartition("/")[0] or "/"),
                stdin=source.stdin,
                limits=self._limits,
            )
        except OSError as error:
            reason = f"cannot start {target.file}: {error.strerror}"
            self._fail(variables, reply, 500, reason)
            return ""
        self._runs(program.pid)
        try:
            return self._relay(program, target, variables, source, reply)
        finally:
            self._runs(0)

    def _relay(
        self,
        program: Running,
        target: Target,
        variables: dict[str, str],
        source: Source,
        reply: Reply,
    ) -> str:
        run = CgiRun(
            program,
            source,
            reply,
            is_nph=target.is_nph,
            patience=self._patience,
            told=lambda data: self._pass_on(data, target, reply),
            failed=lambda status: self._note_failure(status, target, variables, reply),
            alive=self._alive,
            open_scratch=self._open_scratch,
        )
        is_over = False
        try:
            run.pump()
            is_over = True
        except Timeout:
            reason = f"{target.file} was silent for {self._patience:g} s"
            self._fail(variables, reply, 504, reason)
        except ClientGone:  # which is an OSError too
            raise
        except (ValueError, OSError) as error:
            self._fail(variables, reply, 500, f"{target.file}: {error}")
        finally:
            if not run.end(kill=not is_over):
                self._stragglers.append(program)
        return run.redirect

    def _pass_on(self, data: bytes, target: Target, reply: Reply) -> None:
        """What a program says on stderr is for the log."""
        text = data.decode("utf-8", "backslashreplace").rstrip("\n")
        self._complain("program says", file=readable(target.file), text=text)
        if self._tells_front_end:
            reply.complain(data)

    def _note_failure(
        self, status: int, target: Target, variables: dict[str, str], reply: Reply
    ) -> None:
        how = describe(status)
        self._complain(
            "program failed",
            file=readable(target.file),
            cause=how,
            method=variables["REQUEST_METHOD"],
            path=readable(variables["PATH_INFO"]),
        )
        # The exit status of a shell that had run it: 128 and the number of a signal.
        code = status if status > 0 else 128 - status
        reply.fail(encode(f"{target.file}: {how}\n"), status=code)

    def _fail(
        self, variables: dict[str, str], reply: Reply, status: int, reason: str
    ) -> None:
        self._complain(
            "cannot answer",
            method=variables["REQUEST_METHOD"],
            path=readable(variables["PATH_INFO"]),
            answer="cut" if reply.started else str(status),
            reason=readable(reason),
        )
        if reply.started:
            reply.abort()
            return
        line = format_status(str(status))
        reply.send(line, PAGE_HEADERS, line.encode() + b"\n", complete=True)


def redirected(variables: dict[str, str], location: str, mount: str) -> dict[str, str]:
    """The request of a local redirect (RFC 3875 6.2.2): a GET of that path.

    `mount` is the path of the URL below which the programs are.  Raises ProtocolError
    for a path elsewhere.
    """
    raw_path, _, query = location.partition("?")
    path = decode_percent(raw_path)
    if not path.startswith(f"{mount}/"):
        raise ProtocolError("a path of somebody else's", status=404)
    kept = {
        name: value
        for name, value in variables.items()
        if name not in ("CONTENT_LENGTH", "CONTENT_TYPE", "SCRIPT_FILENAME")
    }
    method = "HEAD" if variables["REQUEST_METHOD"] == "HEAD" else "GET"
    return {
        **kept,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": mount,
        "PATH_INFO": path.removeprefix(mount),
        "QUERY_STRING": query,
        "REQUEST_URI": location,
    }

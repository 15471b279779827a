"""Serve one request as a CGI program: no master, no fork, no socket."""

import os
from collections.abc import Mapping

from prefork.cli.report import report
from prefork.errors import (
    EXIT_CUT,
    EXIT_OK,
    ClientGone,
    PreforkError,
    ProtocolError,
)
from prefork.gateways.wsgi import Wsgi
from prefork.monitor.log import Log
from prefork.monitor.outlet import Outlet
from prefork.protocols import cgi
from prefork.protocols.terms import Limits, Terms
from prefork.settings import Settings
from prefork.template import loader
from prefork.worker.streams import (
    STDERR,
    StreamReply,
    read_body,
    send_all,
    take_streams,
)

DEFAULTS = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_SOFTWARE": "prefork",
}


def serve_once(settings: Settings, *, prog: str) -> int:
    """Answer the request; return the exit status."""
    environment = dict(os.environb)  # as it is before `env` adds to it
    stdin, stdout = take_streams()
    log = Log(Outlet(STDERR), level=settings.log_level, format=settings.log_format)
    try:
        if settings.umask is not None:
            os.umask(settings.umask)
        loader.prepare(
            chdir=settings.chdir, pythonpath=settings.pythonpath, env=settings.env
        )
        gateway = Wsgi(
            loader.load(settings.app),
            complain=log.error,
            more={"wsgi.run_once": True},
        )
    except PreforkError as error:
        _refuse(stdout, ProtocolError("cannot load the application", status=500))
        return report(error, prog=prog)
    try:
        return _answer(environment, gateway, settings, log, stdin=stdin, stdout=stdout)
    finally:
        os.close(stdout)  # the answer is over, whatever threads are still busy


def _answer(
    environment: Mapping[bytes, bytes],
    gateway: Wsgi,
    settings: Settings,
    log: Log,
    *,
    stdin: int,
    stdout: int,
) -> int:
    limits = Limits(body=settings.max_body)
    terms = Terms(
        limits=limits,
        defaults=DEFAULTS,
        script_name=os.fsencode(settings.script_name).decode("latin-1"),
    )
    try:
        request, length = cgi.read_request(environment, terms)
        body = read_body(
            stdin, length, in_memory=settings.body_buffer, limit=limits.body
        )
    except (ProtocolError, ClientGone) as error:
        log.warning("refused request", reason=error.reason, status=error.status)
        _refuse(stdout, ProtocolError(error.reason, status=error.status))
        return EXIT_OK
    reply = StreamReply(stdout, cgi.answer(request))
    try:
        gateway(request, body, reply)
    except ClientGone as gone:
        log.debug("lost client", reason=gone.reason)
        return EXIT_CUT
    if reply.problem:
        log.warning("bad answer", problem=reply.problem)
    return EXIT_CUT if reply.is_aborted else EXIT_OK


def _refuse(stdout: int, error: ProtocolError) -> None:
    try:
        send_all(stdout, cgi.refuse(error))
    except ClientGone:
        pass  # there is nobody who would read it

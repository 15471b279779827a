"""The gateway of a worker: what calls the application, or runs the program."""

import resource
import time
from collections.abc import Callable
from typing import Any

from prefork.gateways.cgi import Cgi
from prefork.gateways.wsgi import Wsgi
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import WorkerSlot
from prefork.settings import Settings
from prefork.settings.gateways import CGI, WSGI
from prefork.system import program, scratch
from prefork.system.descriptors import close_on_exec
from prefork.worker.deadline import Deadline
from prefork.worker.service import Gateway


def open_gateway(
    settings: Settings, loaded: Any, *, slot: WorkerSlot, log: Log
) -> Gateway:
    """The gateway to what the template has loaded (template/gateways.py)."""
    return GATEWAYS[settings.gateway](settings, loaded, slot, log)


def _open_wsgi(settings: Settings, loaded: Any, slot: WorkerSlot, log: Log) -> Gateway:
    deadline = Deadline(slot, longest=settings.max_timeout)
    return Wsgi(
        loaded,
        complain=log.error,
        more={"prefork.deadline": deadline},
        tells_front_end=settings.frontend_errors,
    )


def _open_cgi(settings: Settings, loaded: Any, slot: WorkerSlot, log: Log) -> Gateway:
    def alive(seconds: float) -> None:
        now = time.monotonic_ns()
        slot.postpone(now + int(seconds * 1e9) if seconds else 0)

    limits = {
        resource.RLIMIT_CPU: settings.cgi_cpu,
        resource.RLIMIT_AS: settings.cgi_memory,
        resource.RLIMIT_NPROC: settings.cgi_nproc,
    }
    close_on_exec()
    return Cgi(
        loaded,
        start=program.start,
        open_scratch=scratch.open_scratch,
        complain=log.warning,
        runs=slot.run,
        alive=alive,
        patience=settings.cgi_timeout,
        extra=dict(item.split("=", 1) for item in settings.env),
        limits={number: value for number, value in limits.items() if value},
        tells_front_end=settings.frontend_errors,
    )


GATEWAYS: dict[str, Callable[[Settings, Any, WorkerSlot, Log], Gateway]] = {
    WSGI: _open_wsgi,
    CGI: _open_cgi,
}

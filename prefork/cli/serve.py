"""Composes the server: logs, listeners, pid file, master; in this order."""

from collections.abc import Sequence

from prefork.config import Configuration
from prefork.errors import PreforkError
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.master import Master
from prefork.settings import Settings
from prefork.system.daemon import Handshake, detach
from prefork.system.pidfile import PidFile


def serve(configuration: Configuration, arguments: Sequence[str]) -> int:
    """Serve until told to stop; returns the exit status.  PreforkError."""
    settings = configuration.settings
    if not settings.daemon:
        return _serve(settings, arguments, None)
    handshake = detach()
    try:
        status = _serve(settings, arguments, handshake)
    except PreforkError as error:
        handshake.failed(error.exit_status)
        raise
    handshake.failed(status)  # does nothing if it was ready once
    return status


def _serve(
    settings: Settings, arguments: Sequence[str], handshake: Handshake | None
) -> int:
    listeners = Listeners(settings)
    try:
        pid_file = PidFile.take(settings.pid) if settings.pid else None
        try:
            return _run_master(settings, arguments, listeners, handshake)
        finally:
            if pid_file is not None:
                pid_file.release()
    finally:
        listeners.close()


def _run_master(
    settings: Settings,
    arguments: Sequence[str],
    listeners: Listeners,
    handshake: Handshake | None,
) -> int:
    has_file = settings.error_logfile != "-"

    def tell_the_shell() -> None:
        if handshake is not None:
            handshake.ready(keep_stderr=has_file)

    master = Master(
        settings,
        arguments,
        listeners=listeners,
        logs=Logs(settings),
        on_ready=tell_the_shell,
    )
    return master.run()

"""Composes the server: listeners, pid file, control socket, logs, master."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from setproctitle import getproctitle

from prefork.cli.inherited import Inherited
from prefork.config import Configuration
from prefork.config.meaning import find_meanings
from prefork.errors import PreforkError
from prefork.master.assembly import Assembly
from prefork.master.handover import State
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.master import Master
from prefork.monitor.scoreboard import Scoreboard
from prefork.settings import Settings
from prefork.settings.registry import from_json
from prefork.system import home, listen
from prefork.system.daemon import Handshake, detach, is_file
from prefork.system.descriptors import check_enough
from prefork.system.listen import Listener
from prefork.system.local import open_control_listener
from prefork.system.notify import Notifier
from prefork.system.pidfile import PidFile
from prefork.system.signals import hold_back
from prefork.system.stdin import STDERR, fill_gaps

NAME_PATIENCE = 30.0  # seconds for name servers, at a start: they may start as well
NO_LOG = "the server leaves the terminal, and has no log file"
NOT_MAIN = "with Type=notify it hears the process it has started, and --daemon leaves"
STAY = "leave --daemon out of such a unit"
NAME_ONE = "set error_logfile: PREFORK_ERROR_LOGFILE=FILE, or a line of prefork.toml"


def serve(
    configuration: Configuration, arguments: Sequence[str], inherited: Inherited
) -> int:
    """Serve until told to stop; return the exit status.  Raises PreforkError."""
    settings = configuration.settings
    fill_gaps()  # before anything is opened
    check_enough()
    # setproctitle finds the memory for titles by the first variable of the environment,
    # at its first call: so before home.remember() may set that one, $PWD, anew.
    with suppress(UnicodeDecodeError):  # raised when it has found it
        getproctitle()
    home.remember()
    if not settings.daemon:
        return _serve(settings, arguments, inherited, None)
    handshake = detach()
    try:
        status = _serve(settings, arguments, inherited, handshake)
    except PreforkError as error:
        handshake.failed(error.exit_status)
        raise
    handshake.failed(status)  # does nothing if it was ready once
    return status


def _serve(
    settings: Settings,
    arguments: Sequence[str],
    inherited: Inherited,
    handshake: Handshake | None,
) -> int:
    hold_back()
    settings = find_meanings(settings, patience=NAME_PATIENCE)
    with ExitStack() as at_exit:
        listeners = Listeners(settings, left=inherited.left.listeners)
        at_exit.callback(listeners.close)
        inherited.left.close()
        pid_file = PidFile.take(settings.pid) if settings.pid else None
        if pid_file is not None:
            at_exit.callback(pid_file.release)
        control_listener = open_control_listener(settings.control)
        if control_listener is not None:
            at_exit.callback(listen.close, control_listener)
        assembly = _assemble(
            settings,
            arguments,
            inherited,
            handshake,
            listeners=listeners,
            pid_file=pid_file,
            control_listener=control_listener,
        )
        return Master(assembly).run()


def _assemble(
    settings: Settings,
    arguments: Sequence[str],
    inherited: Inherited,
    handshake: Handshake | None,
    *,
    listeners: Listeners,
    pid_file: PidFile | None,
    control_listener: Listener | None,
) -> Assembly:
    logs = Logs(settings)
    if handshake is not None and inherited.notifier is not None:
        logs.log.warning("cannot tell systemd", reason=NOT_MAIN, advice=STAY)

    def tell_the_shell() -> None:
        if handshake is None:
            return
        has_file = settings.error_logfile != "-"
        if not has_file and not is_file(STDERR):
            logs.log.warning("log ends here", reason=NO_LOG, advice=NAME_ONE)
        handshake.ready(keep_stderr=has_file)

    return Assembly(
        settings,
        arguments,
        scoreboard=inherited.open_scoreboard(),
        listeners=listeners,
        logs=logs,
        pid_file=pid_file,
        control_listener=control_listener,
        notifier=inherited.notifier,
        on_ready=tell_the_shell,
    )


def adopt(state: State) -> Callable[[], int]:
    """Put a server together from what its last program has handed over to us.

    Nothing is changed before the function that this returns is called: it serves
    until told to stop, and returns the exit status.
    """
    settings = from_json(state["settings"])
    listeners = Listeners(settings, kept=state["listeners"])
    pid_file = PidFile(**state["pid_file"]) if state["pid_file"] else None
    control = state["control_listener"]
    control_listener = Listener.restore(control) if control else None
    assembly = Assembly(
        settings,
        state["succession"]["arguments"],
        scoreboard=Scoreboard(state["scoreboard"]["fd"]),
        listeners=listeners,
        logs=Logs(settings, kept=state["logs"]),
        pid_file=pid_file,
        control_listener=control_listener,
        notifier=_find_notifier(state["systemd_reporter"]),
        on_ready=lambda: None,  # whoever waited for that was told by another program
        handover=state,
    )

    def run() -> int:
        with ExitStack() as at_exit:
            at_exit.callback(listeners.close)
            if pid_file is not None:
                at_exit.callback(pid_file.release)
            if control_listener is not None:
                at_exit.callback(listen.close, control_listener)
            return Master(assembly).run()

    return run


def _find_notifier(reporter: State | None) -> Notifier | None:
    """Where the last program has sent its notifications."""
    if reporter is None:
        return None
    return Notifier(reporter["address"], watchdog=reporter["watchdog"])

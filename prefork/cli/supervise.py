"""prefork-fcgi --supervise: spawn-fcgi's options, said to `prefork exec`."""

import os
import signal
from collections.abc import Iterator

from prefork.cli.start import start
from prefork.errors import ConfigError, PreforkError
from prefork.settings.gateways import EXEC
from prefork.spawn.console import complain
from prefork.spawn.launch import check_doubts, find_owners
from prefork.spawn.listener import ANY
from prefork.spawn.options import Options
from prefork.spawn.owners import ROOT


def supervise(options: Options) -> int:
    """Keep the program running until told to stop; return the exit status."""
    try:
        arguments = [*_check_and_translate(options)]
    except PreforkError as error:
        complain(str(error), prefix="prefork-fcgi: ")
        return error.exit_status
    _undo_restore()
    return start(EXEC, arguments)


def _check_and_translate(options: Options) -> Iterator[str]:
    check_doubts(options)
    is_root = os.getuid() == ROOT
    if is_root:
        find_owners(options)  # raises for those whom spawn-fcgi refuses
    return translate(options, is_root=is_root)


def _undo_restore() -> None:
    """The signals as Python wants them: this process stays, as a server."""
    for number in signal.SIGPIPE, signal.SIGXFSZ:
        signal.signal(number, signal.SIG_IGN)


def translate(options: Options, *, is_root: bool) -> Iterator[str]:
    """The same as arguments of `prefork exec`.

    What only root may ask for is passed over if others do, as spawn-fcgi does.
    Raises ConfigError for what a server has not.
    """
    if options.forks < 1:
        raise ConfigError(f"with -F {options.forks} there would be nothing to keep")
    yield from ("--bind", _find_address(options))
    yield from ("--workers", str(options.forks), "--backlog", str(options.backlog))
    if options.mode is not None:
        yield from ("--socket-mode", f"{options.mode:o}")
    if options.php_children >= 0:
        yield from ("--env", f"PHP_FCGI_CHILDREN={options.php_children}")
    if options.pid_path is not None:
        yield from ("--pid", options.pid_path)
    if options.directory is not None:
        yield from ("--chdir", options.directory)
    if options.is_forking:
        yield "--daemon"
    if is_root:
        yield from _translate_owners(options)
    yield from ("--", *options.command)
    if not options.command:
        yield from ("/bin/sh", "-c", f"exec {options.shell}")


def _find_address(options: Options) -> str:
    if options.path is not None:
        # An absolute one: to us "@name" would be a socket without a file.
        return f"unix:{os.path.abspath(options.path)}"
    address = ANY if options.address is None else options.address
    host = f"[{address}]" if ":" in address else address
    return f"fastcgi://{host}:{options.port}"


def _translate_owners(options: Options) -> Iterator[str]:
    if options.jail is not None:
        raise ConfigError("-c cannot be supervised: the server is outside of the jail")
    if options.user is not None:
        yield from ("--user", options.user)
    if options.group is not None:
        yield from ("--group", options.group)
    user, group = _find_socket_owner(options)
    if options.path is not None and (user or group):
        yield from ("--socket-owner", f"{user}:{group}" if group else user)


def _find_socket_owner(options: Options) -> tuple[str, str]:
    """-U and -G, or else -u and -g; the group of -U's user goes before that of -g."""
    if options.socket_user is not None:
        return options.socket_user, options.socket_group or ""
    return options.user or "", options.socket_group or options.group or ""

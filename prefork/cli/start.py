"""How prefork-wsgi, prefork-cgi and `prefork exec` begin to serve."""

import os
import sys
from collections.abc import Sequence

from prefork.cli.report import report, report_missing_app
from prefork.cli.stdout import attentive
from prefork.config import Configuration, load
from prefork.errors import PreforkError
from prefork.settings import Settings
from prefork.settings.gateways import GATEWAYS, WSGI
from prefork.system.signals import end_at_once, end_quietly


def start(gateway: str, argv: Sequence[str] | None) -> int:
    """Serve until told to stop; return the exit status.

    The master keeps the name of the gateway in front of the arguments: with both
    the configuration can be read again (cli/resolve.py).
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    prog = GATEWAYS[gateway].prog
    end_quietly()  # until the master listens to signals
    try:
        with attentive():  # --help prints, and exits, in here
            configuration = load(arguments, os.environ, prog=prog, gateway=gateway)
        if _is_handed_a_listener(configuration):
            arguments = ["--bind", "fastcgi+fd://0", *arguments]
            configuration = load(arguments, os.environ, prog=prog, gateway=gateway)
        if not configuration.settings.is_complete:
            return report_missing_app(prog=prog, gateway=gateway)
        # Imported here: neither --help nor the other way of serving needs them.
        if _is_once(configuration.settings):
            from prefork.cli.once import serve_once

            end_at_once()
            return serve_once(configuration.settings, prog=prog)
        from prefork.cli.inherited import bind_flags, take_inherited
        from prefork.cli.serve import serve

        inherited = take_inherited()
        if flags := bind_flags(configuration, inherited.sockets):
            arguments = [*flags, *arguments]
            configuration = load(arguments, os.environ, prog=prog, gateway=gateway)
        return serve(configuration, [gateway, *arguments], inherited)
    except PreforkError as error:
        return report(error, prog=prog)


def _is_handed_a_listener(configuration: Configuration) -> bool:
    """Has a web server, or spawn-fcgi, opened the socket that we are to serve?

    FastCGI 2.2: "The Web server leaves a single file descriptor,
    FCGI_LISTENSOCK_FILENO, open when the application begins execution."  That is 0.
    """
    if configuration.origins["bind"] != "default":
        return False
    from prefork.system.stdin import is_listening

    return is_listening()


def _is_once(settings: Settings) -> bool:
    """Has a web server started us as a CGI program, for one request?

    FastCGI 2.2 has a listening socket as stdin; and who starts a server may be a CGI
    program itself.
    """
    if settings.once is not None or settings.gateway != WSGI:
        return bool(settings.once)
    if "GATEWAY_INTERFACE" not in os.environ:
        return False
    from prefork.system.stdin import is_listening

    return not is_listening()

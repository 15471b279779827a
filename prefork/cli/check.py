"""prefork check: show settings and their origins, import the application."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report, report_missing_app
from prefork.config import Configuration, load
from prefork.config.meaning import find_meanings
from prefork.errors import EXIT_OK, PreforkError
from prefork.settings import Settings
from prefork.settings.gateways import GATEWAYS, WSGI
from prefork.settings.registry import Setting, settings_of

PROG = "prefork check"
HIDDEN = "***"  # what is shown of a secret
WIDEST = 30  # a value longer than that moves its origin to the right


def main(argv: Sequence[str]) -> int:
    """Check the configuration that a server would have; return the exit status."""
    parser = ArgumentParser(
        PROG,
        usage="%(prog)s [--json] [--gateway GATEWAY] [ARGUMENT OF THE SERVER]...",
        description="Show every setting and where it came from; then import the "
        "application as a worker would.",
        epilog=with_examples(
            "Exit status: 0 when all is well, 70 when the application cannot be "
            "imported, 78 when a setting is wrong.",
            "prefork check -w 8 app:wsgi",
            "prefork check -c /etc/app.toml",
            "prefork check --gateway cgi ./cgi-bin",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="show them as JSON")
    parser.add_argument(
        "--gateway",
        choices=list(GATEWAYS),
        default=WSGI,
        help="whose arguments they are: wsgi for prefork-wsgi, and so on",
    )
    own, arguments = parser.parse_known_args(argv)
    try:
        return check(arguments, gateway=own.gateway, as_json=own.json)
    except PreforkError as error:
        return report(error, prog=PROG)


def check(arguments: Sequence[str], *, gateway: str, as_json: bool) -> int:
    """Show the settings, import the application; raise PreforkError."""
    configuration = load(arguments, os.environ, prog=PROG, gateway=gateway)
    # Flushed, because the application may write to the descriptor itself.
    print((format_json if as_json else format_table)(configuration), flush=True)
    if not configuration.settings.is_complete:
        return report_missing_app(prog=PROG, gateway=gateway)
    find_meanings(configuration.settings)
    load_application(configuration.settings)
    if not as_json:
        print("ok")
    return EXIT_OK


def format_table(configuration: Configuration) -> str:
    """Write a line for each setting: name, value, origin."""
    rows = []
    for setting in settings_of(configuration.settings.gateway):
        value = setting.kind.format(read_value(configuration, setting))
        rows.append((setting.name, value.replace("\n", " ") or '""'))
    name_width = max(len(name) for name, _ in rows)
    width = max(len(value) for _, value in rows if len(value) <= WIDEST)
    return "\n".join(
        f"{name:<{name_width}}  {value:<{width}}  {configuration.origins[name]}"
        for name, value in rows
    )


def format_json(configuration: Configuration) -> str:
    """Write an object that has, for each setting, its value and its origin."""
    origins = configuration.origins
    return json.dumps(
        {
            each.name: {
                "value": read_value(configuration, each),
                "origin": origins[each.name],
            }
            for each in settings_of(configuration.settings.gateway)
        },
        indent=2,
        default=str,
    )


def read_value(configuration: Configuration, setting: Setting) -> Any:
    """The value of a setting as it may be shown."""
    value = getattr(configuration.settings, setting.name)
    return HIDDEN if setting.kind.is_secret and value else value


def load_application(settings: Settings) -> None:
    """Load what is served, with the directory, path and environment of a worker."""
    from prefork.template.gateways import load as load_for_workers
    from prefork.template.loader import prepare

    prepare(chdir=settings.chdir, pythonpath=settings.pythonpath, env=settings.env)
    load_for_workers(settings)

"""What a template prepares once for all its workers, by gateway."""

from collections.abc import Callable
from typing import Any

from prefork.gateways.cgi_site import Site, Wrap
from prefork.settings import Settings
from prefork.settings.gateways import CGI, EXEC, WSGI
from prefork.system.command import find_command
from prefork.template import loader


def load(settings: Settings) -> Any:
    """What the worker's gateway will have behind it; raises PreforkError."""
    return LOADERS[settings.gateway](settings)


def _load_application(settings: Settings) -> object:
    return loader.load(settings.app)


def _find_programs(settings: Settings) -> object:
    if settings.wrap:
        return Wrap(settings.allow)
    return Site(settings.app, settings.allow)


def _find_program(settings: Settings) -> object:
    return find_command(settings.app)


LOADERS: dict[str, Callable[[Settings], object]] = {
    WSGI: _load_application,
    CGI: _find_programs,
    EXEC: _find_program,
}

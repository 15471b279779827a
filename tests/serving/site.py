"""An application in a file of its own, to be changed while it is served."""

from pathlib import Path

TEMPLATE = """\
VERSION = {version!r}
HEALTH = "200 OK"
{more}

import app


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/version":
        return app.answer(start_response, VERSION.encode())
    if environ["PATH_INFO"] == "/health":
        return app.answer(start_response, b"?", HEALTH)
    return app.wsgi(environ, start_response)
"""


HELD = """\
import os, time
while not os.path.exists({path!r}):
    time.sleep(0.01)
"""


class Site:
    """Served as `site_app:wsgi` from `directory`; /version tells which it is."""

    app = "site_app:wsgi"
    # What was written twice within a second may look the same to the cache.
    env = {"PYTHONDONTWRITEBYTECODE": "1"}  # noqa: RUF012

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.publish("1")

    def publish(self, version: str, more: str = "") -> None:
        """Replace the file; `more` is run when it is imported."""
        new = self.directory / "site_app.new"
        new.write_text(TEMPLATE.format(version=version, more=more))
        new.replace(self.directory / "site_app.py")  # nobody sees the half of it

    @property
    def held(self) -> str:
        """For publish(): its import is not over before release()."""
        return HELD.format(path=str(self.directory / "go"))

    def release(self) -> None:
        (self.directory / "go").touch()

    def configure(self, **settings: object) -> None:
        """Write prefork.toml."""
        lines = [f"{name} = {_as_toml(value)}\n" for name, value in settings.items()]
        (self.directory / "prefork.toml").write_text("".join(lines))


def _as_toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()

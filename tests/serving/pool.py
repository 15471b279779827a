"""One prefork that speaks every protocol, each on a unix socket and on a TCP port."""

import re
import shutil
import tempfile
from pathlib import Path

from serving.server import Server

TRANSPORTS = ("unix", "tcp")


class Pool(Server):
    """A server whose places the web servers of anybody can reach."""

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="prefork-"))
        directory.chmod(0o755)
        super().__init__(directory)

    def serve(
        self, *arguments: str, protocols: tuple[str, ...], app: str = "witness:wsgi"
    ) -> "Pool":
        """Listen for each protocol twice."""
        places = [f"{each}+unix:{self.directory}/{each}.sock" for each in protocols]
        places += [f"{each}://127.0.0.1:0" for each in protocols]
        binds = [word for place in places for word in ("-b", place)]
        self.start(*arguments, "--socket-mode", "666", *binds, bind=None, app=app)
        return self

    def place(self, protocol: str, transport: str) -> str:
        """Where a protocol is spoken: unix:PATH or HOST:PORT."""
        if transport == "unix":
            return f"unix:{self.directory}/{protocol}.sock"
        pattern = rf"(?m)listening on={protocol}://(127\.0\.0\.1:\d+)$"
        return re.findall(pattern, self.log)[0]

    def clean_up(self) -> list[str]:
        left = super().clean_up()
        shutil.rmtree(self.directory, ignore_errors=True)
        return left

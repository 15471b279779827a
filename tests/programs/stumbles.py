"""prefork-wsgi, with a master in which something fails that nobody has foreseen.

$STUMBLES names the method, MODULE:Class.method of prefork.master.  It raises
ValueError for as long as there is a file `ill` in the working directory.
"""

import os
import sys
from importlib import import_module

from prefork.cli.wsgi import main


def stumble(place: str) -> None:
    module, _, name = place.partition(":")
    owner, _, method = name.partition(".")
    holder = getattr(import_module(f"prefork.master.{module}"), owner)
    really = getattr(holder, method)

    def fail(*arguments: object, **named: object) -> object:
        if os.path.exists("ill"):
            raise ValueError("of all things")
        return really(*arguments, **named)

    setattr(holder, method, fail)


if __name__ == "__main__":
    stumble(os.environ["STUMBLES"])
    sys.exit(main())

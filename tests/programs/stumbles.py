"""prefork-wsgi, with a master in which something fails that nobody has foreseen.

$STUMBLES names the method, MODULE:Class.method of prefork.master.  It raises
ValueError for as long as there is a file `ill` in the working directory; or OSError,
if the file has a number.
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
        if not os.path.exists("ill"):
            return really(*arguments, **named)
        with open("ill") as file:
            if number := file.read():
                raise OSError(int(number), os.strerror(int(number)))
        raise ValueError("of all things")

    setattr(holder, method, fail)


if __name__ == "__main__":
    stumble(os.environ["STUMBLES"])
    sys.exit(main())

"""prefork-wsgi with sockets that were passed to it: python -m activated ARGUMENTS

$ACTIVATED says which: NAME=PATH of unix sockets, or NAME=PORT.
"""

import os
import socket
import sys

from prefork.cli.wsgi import main

names = []
for number, pair in enumerate(os.environ.pop("ACTIVATED").split()):
    name, _, place = pair.partition("=")
    if place.isdecimal():
        listener = socket.create_server(("127.0.0.1", int(place)))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(place)
        listener.listen()
    os.dup2(listener.detach(), 3 + number)
    names.append(name)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(names))
os.environ["LISTEN_FDNAMES"] = ":".join(names)
sys.exit(main())

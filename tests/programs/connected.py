"""Connects to $PEER (a port of this machine) while it is imported."""

import os
import socket

from app import wsgi as wsgi

CONNECTION = socket.create_connection(("127.0.0.1", int(os.environ["PEER"])))

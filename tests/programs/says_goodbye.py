"""Writes a line to the file `goodbyes` when its process ends."""

import atexit
import os

from app import wsgi as wsgi


@atexit.register
def say_goodbye():
    with open("goodbyes", "a") as file:
        file.write(f"{os.getpid()}\n")

"""Has a hook that may hang in a forked child.

The file `hang` in the working directory says in which: "1", the process between
template and worker; "2", the worker itself.
"""

import os
import time
from pathlib import Path

from app import wsgi as wsgi

FORKS = [0]  # between this process and the template


def hook():
    FORKS[0] += 1
    hang = Path("hang")
    if hang.exists() and hang.read_text() == str(FORKS[0]):
        time.sleep(3600)


os.register_at_fork(after_in_child=hook)

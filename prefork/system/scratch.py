"""Scratch: a file without a name, for what has to be kept for a while."""

import os
from tempfile import TemporaryFile
from typing import BinaryIO


def open_scratch() -> BinaryIO:
    """On a disk; in memory where none can be written to, as in some containers.

    It is gone when it is closed.  OSError.
    """
    try:
        return TemporaryFile(buffering=0)
    except FileNotFoundError:  # "No usable temporary directory found"
        fd = os.memfd_create("prefork-scratch", os.MFD_CLOEXEC)
        return open(fd, "w+b", buffering=0)

"""A document: text of any length for another process, as a descriptor.

memfd_create(2): a file without a name, which is gone with its last descriptor.  A
message, or a command line, has a limit.
"""

import os


def write_document(text: str, *, name: str) -> int:
    """Returns the descriptor, to be closed; `name` is what /proc shows."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with open(fd, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_document(fd: int) -> str:
    """All of it, whoever has read it before."""
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8")

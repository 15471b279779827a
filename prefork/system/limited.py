"""Starting a program that has limits from its first instruction on.

setrlimit(2) has to be called between fork(2) and execve(2), which posix_spawn(3) has
no way for: so this one forks, at a millisecond or so, and is for who has set limits.
"""

import errno
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from prefork.system.signals import blocked, unblock_all


def spawn(
    file: bytes,
    arguments: list[bytes],
    environment: Mapping[bytes, bytes],
    *,
    standard: Sequence[int],
    limits: Mapping[int, int],
    signals: Sequence[int],
) -> int:
    """The pid of a program, leader of a session; OSError says why there is none.

    `standard`: what becomes its descriptors 0 to 2; `limits`: value by RLIMIT_*;
    `signals` are as by default.
    """
    failure, its_failure = os.pipe2(os.O_CLOEXEC)
    with blocked():
        pid = os.fork()
        if not pid:
            code = errno.ENOMEM
            try:
                _become(file, arguments, environment, standard, limits, signals)
            except OSError as error:
                code = error.errno or code
            finally:
                os.write(its_failure, bytes([code]))
                os._exit(1)
    os.close(its_failure)
    with open(failure, "rb") as pipe:
        told = pipe.read()  # nothing, when exec has closed the other end
    if told:
        os.waitpid(pid, 0)
        raise OSError(told[0], os.strerror(told[0]))
    return pid


def _become(
    file: bytes,
    arguments: list[bytes],
    environment: Mapping[bytes, bytes],
    standard: Sequence[int],
    limits: Mapping[int, int],
    signals: Sequence[int],
) -> NoReturn:
    """The child.  Its memory is limited last: what needs more has been done."""
    signal.set_wakeup_fd(-1)
    for number in signals:
        signal.signal(number, signal.SIG_DFL)
    unblock_all()
    os.setsid()
    for fd, source in enumerate(standard):
        os.dup2(source, fd)
    for number, value in limits.items():
        hard = resource.getrlimit(number)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (least, least))
    os.execve(file, arguments, environment)

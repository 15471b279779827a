"""Starting a program that has limits from its first instruction on.

setrlimit(2) has to be called between fork(2) and execve(2), which posix_spawn(3) has
no way for: so this one forks, at a millisecond or so, and is for who has set limits.
"""

import os
import resource
from collections.abc import Mapping, Sequence

from prefork.system.forking import fork_exec


def spawn(
    file: bytes,
    arguments: list[bytes],
    environment: Mapping[bytes, bytes],
    *,
    standard: Sequence[int],
    limits: Mapping[int, int],
) -> int:
    """The pid of a program, leader of a session; OSError says why there is none.

    `standard`: what becomes its descriptors 0 to 2; `limits`: value by RLIMIT_*.
    """

    def become() -> None:
        # Here and not before: until execve() a limit of memory is ours too.
        for number, value in limits.items():
            hard = resource.getrlimit(number)[1]
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (least, least))
        os.execve(file, arguments, environment)

    return fork_exec(become, standard=standard)

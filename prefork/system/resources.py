"""Resources: how much of the machine a process may take, and where it runs."""

import os
import resource
from collections.abc import Iterable
from contextlib import suppress

from prefork.errors import SystemRefusal

OOM_SCORE_ADJ = "/proc/self/oom_score_adj"
EXPENDABLE = 200  # thousandths of the machine's memory, as if we used so much more
MOST_EXPENDABLE = 1000


def become_expendable() -> None:
    """Let the kernel, short of memory, choose us before the master.

    proc_pid_oom_score_adj(5); children inherit it.
    """
    with suppress(OSError):  # a /proc that is read-only: then by size alone
        with open(OOM_SCORE_ADJ) as file:
            score = int(file.read())
        with open(OOM_SCORE_ADJ, "w") as file:
            file.write(str(min(score + EXPENDABLE, MOST_EXPENDABLE)))


def set_niceness(niceness: int) -> None:
    """Raises SystemRefusal: only root may become less nice."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except OSError as error:
        what = f"set the niceness to {niceness}"
        raise _refusal(what, error, "CAP_SYS_NICE") from error


def set_limits(limits: Iterable[tuple[str, int | None]]) -> None:
    """Set limits of getrlimit(2), soft and hard; None is unlimited.

    Raises SystemRefusal: only root may raise a hard one.
    """
    for name, value in limits:
        number = resource.RLIM_INFINITY if value is None else value
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        try:
            resource.setrlimit(kind, (number, number))
        except (OSError, ValueError) as error:  # ValueError: it may not be raised
            what = f"set the limit {name} to {'unlimited' if value is None else value}"
            raise _refusal(what, error, "CAP_SYS_RESOURCE") from error


def find_cpus(wanted: Iterable[int] | None) -> list[int]:
    """The processors to run on: those, or (None) all that we may run on.

    Raises SystemRefusal if one of them is not for us, or nobody may choose.
    """
    allowed = sorted(os.sched_getaffinity(0))
    _try_to_choose(allowed)
    if wanted is None:
        return allowed
    cpus = list(wanted)
    if foreign := [cpu for cpu in cpus if cpu not in allowed]:
        ours = ",".join(map(str, allowed))
        raise SystemRefusal(f"cannot run on processor {foreign[0]} (there are {ours})")
    return cpus


def _try_to_choose(allowed: Iterable[int]) -> None:
    """Ask to run where we run anyway: anybody may, except in some sandboxes."""
    try:
        os.sched_setaffinity(0, allowed)
    except PermissionError as error:
        raise SystemRefusal(
            f"cannot choose processors: {str(error.strerror).lower()} (a sandbox "
            "forbids it; of a unit of systemd, say CPUAffinity= there)"
        ) from error


def run_on(cpu: int) -> None:
    """Run on this processor only; on any if it has been taken away meanwhile."""
    with suppress(OSError):
        os.sched_setaffinity(0, {cpu})


def _refusal(what: str, error: Exception, capability: str) -> SystemRefusal:
    reason = (getattr(error, "strerror", "") or str(error)).lower()
    advice = f"start as root, with {capability}, or ask for less"
    return SystemRefusal(f"cannot {what}: {reason} ({advice})")

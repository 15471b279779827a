"""What happens to a server, and what its clients see of it: a row each.

Every event has one idea of what is well, the same for all servers.
"""

import os
import re
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from versus.clients import Clients
from versus.contestant import Contestant, wait_until
from versus.questions import Question

QUEUED = 4
AT_ONCE = 5.0  # seconds: what should happen by itself, and soon
PATIENCE = 15.0
FORK_WATCH = 6.0
FORKS_ALLOWED = 20
NOTE_AND_EXIT = """\
import os
with open("seen", "a") as file:
    file.write(f"exit {os.getpid()}\\n")
os._exit(1)
"""
# Seconds; half of it is more than this machine keeps anybody waiting.
SLOW_IMPORT = 2.0 * float(os.environ.get("TEST_PATIENCE", "1"))
DEADLINE = 2  # seconds


class Finding(NamedTuple):
    """One cell."""

    is_well: bool
    text: str


class Scene:
    """One worker with a request of a second in flight, and four in its queue."""

    def __init__(self, server: Contestant) -> None:
        server.start()
        self.in_flight = server.ask("/sleep?1")
        assert wait_until(lambda: server.seen("sleep"), PATIENCE) is not None
        self.worker = server.seen("sleep")[0]
        self.queued = [server.ask() for _ in range(QUEUED)]

    def look(self) -> Finding:
        """What the clients got."""
        is_answered = _is_answered(self.in_flight)
        queued = self.count_queued()
        text = f"in flight {'answered' if is_answered else 'cut'}, {queued}"
        return Finding(is_answered and queued == ALL_QUEUED, text)

    def count_queued(self) -> str:
        number = sum(_is_answered(question) for question in self.queued)
        return f"queued {number}/{QUEUED}"


ALL_QUEUED = f"queued {QUEUED}/{QUEUED}"


def _is_answered(question: Question) -> bool:
    answer = question.read()
    return answer is not None and answer.status == 200


def reload_new_code(server: Contestant) -> Finding:
    scene = Scene(server)
    server.publish("2")
    server.reload()
    finding = scene.look()
    is_new = server.wait_version("2", PATIENCE) is not None
    text = finding.text + ("" if is_new else ", no new code")
    return Finding(finding.is_well and is_new, text)


def stop(server: Contestant) -> Finding:
    scene = Scene(server)
    server.stop()
    finding = scene.look()
    left = wait_until(lambda: server.exit_status is not None, PATIENCE)
    end = "does not end" if left is None else f"exit {server.exit_status}"
    return Finding(
        finding.is_well and server.exit_status == 0, f"{finding.text}, {end}"
    )


def reload_broken_code(server: Contestant) -> Finding:
    server.start(workers=2)
    server.change_import("raise RuntimeError('nonsense')")
    finding = _reload_in_vain(server)
    if finding.is_well:
        server.publish("3")
        server.reload()
        if server.wait_version("3", PATIENCE) is None:
            return Finding(False, f"{finding.text}, but never reloads again")
    return finding


def reload_broken_configuration(server: Contestant) -> Finding:
    server.start(workers=2)
    server.break_configuration()
    return _reload_in_vain(server)


def _reload_in_vain(server: Contestant) -> Finding:
    """Does what ran before serve on, and does the log name what is wrong?"""
    server.reload()
    until = time.monotonic() + AT_ONCE
    kinds = set()
    while time.monotonic() < until:
        answer = server.get(timeout=AT_ONCE)
        kinds.add(tuple(answer) if answer else None)
        time.sleep(0.02)
    if server.exit_status is not None:
        return Finding(False, f"down, exit {server.exit_status}")
    if kinds == {(200, "1")}:
        is_named = wait_until(lambda: "nonsense" in server.log.lower(), AT_ONCE)
        told = "is silent" if is_named is None else "says why"
        return Finding(is_named is not None, f"what ran before serves on, log {told}")
    statuses = sorted({kind[0] for kind in kinds if kind} - {200})
    return Finding(False, f"requests fail: {statuses or 'no answer'}")


def reload_slow_import(server: Contestant) -> Finding:
    server.start(workers=2)
    server.change_import(f"import time; time.sleep({SLOW_IMPORT})")
    with Clients(server) as clients:
        server.reload()
        is_new = server.wait_version("2", PATIENCE) is not None
    text = f"{clients}{'' if is_new else ', no new code'}"
    is_well = is_new and not clients.failed and clients.longest < SLOW_IMPORT / 2
    return Finding(is_well, text)


def kill_parent(server: Contestant) -> Finding:
    server.start(workers=2)
    in_flight = server.ask("/sleep?1")
    assert wait_until(lambda: server.seen("sleep"), PATIENCE) is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: server.exit_status is not None, PATIENCE) is not None
    began = time.monotonic()
    is_answered = _is_answered(in_flight)
    text = f"in flight {'answered' if is_answered else 'cut'}, "
    if wait_until(lambda: not server.processes(), AT_ONCE) is None:
        is_serving = server.get(timeout=AT_ONCE) is not None
        text += f"orphans {'serve on' if is_serving else 'stay'}"
        return Finding(False, text)
    spent = time.monotonic() - began
    return Finding(is_answered, f"{text}all gone after {spent:.1f} s")


def exit_at_import(server: Contestant) -> Finding:
    server.start(workers=2, import_in_worker=True)
    wait_until(lambda: len(server.seen("import")) >= 2, PATIENCE)
    server.change_import(NOTE_AND_EXIT)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    time.sleep(FORK_WATCH)
    forks = len(server.seen("exit"))
    server.publish("3")
    took = server.wait_version("3", 30)
    text = f"{forks} forks, "
    if took is None:
        return Finding(False, text + "does not come back")
    return Finding(
        forks <= FORKS_ALLOWED, f"{text}serves {took:.1f} s after the repair"
    )


def kill_worker(server: Contestant) -> Finding:
    scene = Scene(server)
    os.kill(scene.worker, signal.SIGKILL)
    scene.in_flight.read()
    queued = scene.count_queued()
    # Not all of them look at once.
    names_request = wait_until(lambda: "/sleep?1" in server.log, AT_ONCE) is not None
    names_signal = re.search(r"SIGKILL|signal\W*(9|kill)", server.log, re.IGNORECASE)
    told = "the signal" if names_signal else "nothing"
    told = "the request" if names_request else told
    return Finding(
        queued == ALL_QUEUED and names_request, f"{queued}, log names {told}"
    )


def hang(server: Contestant) -> Finding:
    server.start(timeout=DEADLINE)
    question = server.ask("/hang", timeout=4 * DEADLINE)
    assert wait_until(lambda: server.seen("hang"), PATIENCE) is not None
    began = time.monotonic()
    answer = question.read()
    spent = time.monotonic() - began
    was_ended = spent < 3 * DEADLINE
    has_stack = "compute_for_ever" in server.log
    is_back = server.wait_version("1", PATIENCE) is not None
    text = f"ended after {spent:.1f} s" if was_ended else "not ended"
    text += f" ({answer.status})" if answer else " (cut)"
    text += f", {'stack' if has_stack else 'no stack'} in the log"
    text += "" if is_back else ", serves no more"
    return Finding(was_ended and has_stack and is_back, text)


def upgrade(server: Contestant) -> Finding:
    server.start(workers=2)
    with Clients(server) as clients:
        wait_until(lambda: clients.answered > 20, PATIENCE)
        server.upgrade()
        so_far = clients.answered
        wait_until(lambda: clients.answered > so_far + 20, PATIENCE)
    keeps_pid = server.exit_status is None
    text = f"{clients}, pid {'kept' if keeps_pid else 'changes'}"
    return Finding(keeps_pid and not clients.failed and clients.answered > 40, text)


def scale(server: Contestant) -> Finding:
    server.start(workers=3)
    assert _has_workers(server, 3)
    with Clients(server) as clients:
        for _ in range(3):
            for step, wanted in ((server.remove_worker, 2), (server.add_worker, 3)):
                step()
                if not _has_workers(server, wanted):
                    count = len(server.workers())
                    return Finding(False, f"{count} workers, not {wanted}")
    return Finding(not clients.failed, str(clients))


def _has_workers(server: Contestant, number: int) -> bool:
    took = wait_until(lambda: len(server.workers()) == number, PATIENCE)
    return took is not None


EVENTS: dict[str, Callable[[Contestant], Finding]] = {
    "reload, new code": reload_new_code,
    "stop": stop,
    "reload, broken code": reload_broken_code,
    "reload, broken configuration": reload_broken_configuration,
    "parent killed": kill_parent,
    "2 workers exit at import, for 6 s": exit_at_import,
    f"reload under load, import takes {SLOW_IMPORT:g} s": reload_slow_import,
    "upgrade under load": upgrade,
    "one less, one more, under load": scale,
    "worker killed in a request": kill_worker,
    "a request hangs, 2 s allowed": hang,
}

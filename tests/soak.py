"""Mixed load, and something goes wrong every second: for as long as asked.

    python tests/soak.py --seconds 60 [--seed N] [--workers N|MIN:MAX]

Exit 1 if more requests failed than killed workers had connections, if it does not
calm down to as many workers as it should have, if the master has grown, or if a
process is left.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from serving import Load, Server, Site, eventually

from prefork.settings.scale import parse_scale

PATHS = ("/", "/", "/version", "/sleep?s=0.01", "/sleep?s=0.1", "/big?size=200000")
CLIENTS = 6
IDLE_TIMEOUT = "2"  # seconds: some leave while others are being killed
SCALES = ("2:8", "2:8", "1:3", "3:6", "0:5", "4", "+1", "-1")
EVERY = 1.0  # seconds from fault to fault
REPORT_EVERY = 5.0
GROWTH_ALLOWED = 4 << 20  # bytes
DESCRIPTORS_ALLOWED = 4
MOST_TEMPLATES = 2  # the one before it is kept while new code is on probation


@dataclass(frozen=True, slots=True)
class Usage:
    """What a master has: bytes, and descriptors that belong to none of its children."""

    rss: int
    descriptors: int


class Soak:
    """One server, its clients, and who makes its life hard."""

    def __init__(self, directory: Path, *, workers: str, seed: int) -> None:
        self.server = Server(directory)
        self._site = Site(directory)
        self._workers = workers
        self._chance = random.Random(seed)
        self._version = 1
        self._at_risk = 0  # requests that may have been on killed workers
        self._counts: list[int] = []  # of workers, before each fault
        self._faults: list[tuple[int, str, Callable[[], None]]] = [
            (3, "kill a worker", self._kill_worker),
            (2, "kill the template", self._kill_template),
            (1, "stop a worker", self._stop_worker),
            (1, "stop the master", self._stop_master),
            (3, "good reload", self._reload_good),
            (2, "bad reload", self._reload_bad),
            (2, "upgrade", lambda: self.server.signal(signal.SIGUSR2)),
            (1, "upgrade, reload and wait", self._upgrade),
            (1, "ask for upgrade and reload", self._ask_for_upgrade),
            (3, "scale", self._scale),
            (1, "one more", lambda: self.server.signal(signal.SIGTTIN)),
            (1, "one less", lambda: self.server.signal(signal.SIGTTOU)),
        ]
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> list[str]:
        """What was wrong, in sentences; [] if nothing was."""
        server, site = self.server, self._site
        arguments = ["-w", self._workers, "--idle-timeout", IDLE_TIMEOUT]
        server.start(*arguments, app=site.app, env=site.env)
        with Load(server, clients=CLIENTS, paths=PATHS) as load:
            self._reload_good()  # what only a reload needs is there from now on
            eventually(self._has_calmed_down, within=60)
            before = self._usage()
            self._make_trouble(load, time.monotonic() + seconds)
            eventually(self._has_calmed_down, within=60)
            after = self._usage()
        status = server.stop(within=60)
        print(f"done: {dict(self.done)}")
        print(f"answered: {load.answered}, failed: {len(load.failures)}")
        print(f"connections of killed workers: {self._at_risk}")
        print(f"workers: {min(self._counts)} to {max(self._counts)}")
        print(f"master before: {before}\nmaster after:  {after}")
        return self._verdict(load, before, after, status)

    def _verdict(
        self, load: Load, before: Usage, after: Usage, status: int
    ) -> list[str]:
        wrong = []
        if len(load.failures) > self._at_risk:
            wrong += ["too many requests failed", *map(str, load.failures)]
        if after.rss > before.rss + GROWTH_ALLOWED:
            wrong.append("the master has grown")
        if after.descriptors > before.descriptors + DESCRIPTORS_ALLOWED:
            wrong.append("the master keeps descriptors")
        if status != 0:
            wrong.append(f"the master ended with {status}")
        if left := self.server.clean_up():
            wrong.append(f"left behind: {left}")
        return wrong

    def _make_trouble(self, load: Load, until: float) -> None:
        weights = [weight for weight, _, _ in self._faults]
        began = report_at = time.monotonic()
        while (now := time.monotonic()) < until:
            if now >= report_at:
                report_at = now + REPORT_EVERY
                print(
                    f"{now - began:5.0f} s: {self.done.total()} faults, "
                    f"{load.answered} answered, {len(load.failures)} failed",
                    flush=True,
                )
            self._counts.append(len(self.server.workers()))
            ((_, name, fault),) = self._chance.choices(self._faults, weights)
            fault()
            self.done[name] += 1
            time.sleep(self._chance.uniform(0.5, 1.5) * EVERY)

    # Faults

    def _kill_worker(self) -> None:
        """Not before we know what it takes with it."""
        if victim := self._any_worker():
            send(victim, signal.SIGSTOP)
            self._at_risk += count_connections(victim, self.server.port)
            send(victim, signal.SIGKILL)

    def _kill_template(self) -> None:
        if template := self.server.template():
            send(template, signal.SIGKILL)

    def _stop_worker(self) -> None:
        if victim := self._any_worker():
            send(victim, signal.SIGSTOP)
            time.sleep(self._chance.uniform(0.1, 1.0))
            send(victim, signal.SIGCONT)

    def _stop_master(self) -> None:
        self.server.signal(signal.SIGSTOP)
        time.sleep(self._chance.uniform(0.1, 2.0))
        self.server.signal(signal.SIGCONT)

    def _reload_good(self) -> None:
        self._version += 1
        self._site.publish(str(self._version))
        self.server.signal(signal.SIGHUP)

    def _reload_bad(self) -> None:
        """Bad code, until that has been noticed."""
        bad = ("raise RuntimeError('bad')", "import os; os._exit(1)", "def syntax(:")
        self._site.publish("bad", self._chance.choice(bad))
        seen = self.server.log.count("reload failed")
        self.server.signal(signal.SIGHUP)
        eventually(lambda: self.server.log.count("reload failed") > seen, within=60)
        self._site.publish(str(self._version))

    def _upgrade(self) -> None:
        """Again, if the upgrade before has just hung up on who asked for this one."""
        eventually(lambda: self._prefork("upgrade") is not None, within=90)

    def _ask_for_upgrade(self) -> None:
        """What comes next happens during it."""
        self._prefork("upgrade", "--no-wait")

    def _scale(self) -> None:
        """One less is refused where nobody would be left."""
        scale = self._chance.choice(SCALES)
        if self._prefork("scale", scale) is None and scale != "-1":
            eventually(lambda: self._prefork("scale", scale) is not None)

    def _prefork(self, *arguments: str) -> str | None:
        """What an operator's command prints; None, and a line of ours, if it fails."""
        command = [sys.executable, "-m", "prefork.cli.control", *arguments]
        done = subprocess.run(
            [*command, "--pid", str(self.server.pid)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        print(f"exit status {done.returncode}: {done.stderr.strip()}", flush=True)
        return None

    def _any_worker(self) -> int:
        workers = self.server.workers()
        return self._chance.choice(workers) if workers else 0

    # Looking

    def _has_calmed_down(self) -> bool:
        """Does the newest code serve, and nothing older, with as many as asked for?"""
        version = str(self._version).encode()
        if self.server.get("/version")[1] != version:
            self.server.signal(signal.SIGHUP)
            time.sleep(1)  # for a reload to go through before we ask for another
            return False
        titles = [title.split() for title in self.server.processes().values()]
        generations = [title[4] for title in titles if title[1] == "worker"]
        templates = sum(title[1] == "template" for title in titles)
        return (
            len(set(generations)) == 1
            and self._is_within_scale(len(generations))
            and 1 <= templates <= MOST_TEMPLATES
        )

    def _is_within_scale(self, workers: int) -> bool:
        status = self._prefork("status", "--json")
        if status is None:
            return False
        scale = parse_scale(json.loads(status)["workers"]["scale"])
        return scale.least <= workers <= scale.most

    def _usage(self) -> Usage:
        pid = self.server.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = len(self.server.processes()) - 1
        descriptors = len(os.listdir(f"/proc/{pid}/fd")) - children
        return Usage(pages * os.sysconf("SC_PAGE_SIZE"), descriptors)


def send(pid: int, number: int) -> None:
    """Send a signal, unless it is too late for that."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def count_connections(pid: int, port: int) -> int:
    """How many accepted connections a process has, by /proc/net/tcp (proc(5))."""
    try:
        links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return 0
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    connected = {  # neither waiting to be closed nor listening (0A)
        f"socket:[{row[9]}]"
        for row in rows
        if row[1].endswith(f":{port:04X}") and row[3] != "0A"
    }
    return len(connected.intersection(links))


def main() -> int:
    """Run as long as asked; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--workers", default="2:8")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"seed: {options.seed}\nlog: {directory}/stderr.log", flush=True)
    soak = Soak(directory, workers=options.workers, seed=options.seed)
    try:
        wrong = soak.run(options.seconds)
    finally:
        soak.server.clean_up()
    print("\n".join(wrong) or "all is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

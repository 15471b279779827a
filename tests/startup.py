"""What a start of prefork-fcgi costs beside one of spawn-fcgi, which is written in C.

    python tests/startup.py [--rounds 21] [--limit 60]

Both become /bin/true, in turns.  What counts are the medians of the CPU time, in
milliseconds, and their difference: a start waits for nothing, so that is what it
takes on an idle machine, while on a busy one the clock says more of the neighbours.
Beside them what this interpreter takes to do nothing.  The exit status is 1 if the
difference exceeds the limit.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
THEIRS = "/usr/bin/spawn-fcgi"
PROGRAM = f"""\
import sys
sys.path.insert(0, {str(ROOT)!r})
from prefork.cli.fcgi import main
sys.exit(main())
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--limit", type=float, default=60.0, help="milliseconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        medians = measure(Path(directory), rounds=options.rounds)
    for name, median in medians.items():
        print(f"{name:<14}{median * 1000:7.1f} ms")
    more = (medians["prefork-fcgi"] - medians["spawn-fcgi"]) * 1000
    print(f"{'difference':<14}{more:7.1f} ms, of {options.limit:g}")
    return int(more > options.limit)


def measure(directory: Path, *, rounds: int) -> dict[str, float]:
    script = directory / "script.py"
    script.write_text(PROGRAM)
    become = ["-n", "-s", str(directory / "socket"), "--", "/bin/true"]
    commands = {
        "prefork-fcgi": [sys.executable, "-I", str(script), *become],
        "spawn-fcgi": [THEIRS, *become],
        "python": [sys.executable, "-I", "-c", "pass"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(run(command))
    return {name: statistics.median(each) for name, each in taken.items()}


def run(command: list[str]) -> float:
    """Seconds of CPU time."""
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, command
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

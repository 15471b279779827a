"""Rounds of serving.fuzzing without end, one protocol after the other.

    python tests/fuzz [--seconds 60] [--number N] [PROTOCOL...]

Fails on what escapes, hangs or grows, and says how to repeat it.
"""

import argparse
import gc
import random
import resource
import sys
import time
import traceback
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from serving.fuzzing import TARGETS, fuzz  # noqa: E402

MOST_GROWTH = 16 << 10  # KiB, from the end of the first tenth on


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each protocol")
    parser.add_argument("--number", type=int, help="only that round")
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL")
    arguments = parser.parse_args()
    for protocol in arguments.protocols or TARGETS:
        if arguments.number is not None:
            fuzz(protocol, arguments.number)
        elif not run(protocol, arguments.seconds):
            return 1
    return 0


def run(protocol: str, seconds: float) -> bool:
    """Round after round for that time; False if one failed."""
    began = time.monotonic()
    first = number = random.SystemRandom().randrange(1 << 40)
    settled = 0  # KiB that we have taken by the end of the first tenth
    while (elapsed := time.monotonic() - began) < seconds:
        if not settled and elapsed > seconds / 10:
            settled = memory()
        try:
            fuzz(protocol, number)
        except Exception:
            traceback.print_exc()
            print(f"to repeat: python tests/fuzz --number {number} {protocol}")
            return False
        number += 1
    growth = memory() - (settled or memory())
    print(f"{protocol:8} {number - first} rounds, grew by {growth} KiB", flush=True)
    return growth < MOST_GROWTH


def memory() -> int:
    """KiB that we have; not the most that we had, which one large round decides."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 10


if __name__ == "__main__":
    sys.exit(main())

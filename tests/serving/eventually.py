"""Waiting for something to become true, instead of sleeping and hoping."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))  # for slow machines


def eventually(check: Callable[[], T | None], *, within: float = 10.0) -> T:
    """Call `check` until it returns something true, and return that.

    An AssertionError or OSError in it counts as "not yet"; at the end of the time
    the last one is raised.
    """
    give_up = time.monotonic() + within * PATIENCE
    while True:
        try:
            result = check()
            if result or time.monotonic() > give_up:
                assert result, f"not within {within} s: {check}"
                return result
        except (AssertionError, OSError):
            if time.monotonic() > give_up:
                raise
        time.sleep(0.01)

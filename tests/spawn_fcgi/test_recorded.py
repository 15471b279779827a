"""prefork-fcgi does what spawn-fcgi does: 224 cases, seen from outside.

recorded.jsonl has what spawn-fcgi 1.6.4-2 of Debian 12 was seen to do, a case a line,
in the words of serving.stage.  Every case runs with prefork-fcgi under the name of
spawn-fcgi, and is compared with the record, and with the spawn-fcgi of this machine.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving.stage import complete

RECORDED = Path(__file__).with_name("recorded.jsonl")
CASES = [json.loads(line) for line in RECORDED.read_text().splitlines()]

# What differs, and why: man/prefork-fcgi.1, DIFFERENCES.
DIFFERENT = {"long-option": {"stderr": ""}}  # --help is one of ours

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.counterpart]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])

Play = Callable[[dict[str, Any]], dict[str, Any]]


@every_case
def test_does_what_was_recorded(case: dict[str, Any], play_ours: Play) -> None:
    allowed = DIFFERENT.get(case["id"], {})
    assert play_ours(case) == complete(case["recorded"]) | allowed


@every_case
def test_does_what_the_original_does(
    case: dict[str, Any], play_ours: Play, play_theirs: Play
) -> None:
    allowed = DIFFERENT.get(case["id"], {})
    assert play_ours(case) == play_theirs(case) | allowed

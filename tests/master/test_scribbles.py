"""What an application writes where its worker speaks to the master harms nobody."""

import json
from urllib.parse import quote

import pytest
from serving import Server

pytestmark = pytest.mark.process

SCRIBBLES = [
    "7\n",
    "{",
    json.dumps({"kind": "forked"}),
    json.dumps({"kind": "forked", "pid": 1}),
    json.dumps({"kind": "registered"}),
    json.dumps({"kind": "settling"}),
    json.dumps({"kind": "ready"}),
    json.dumps({"kind": "pass on"}),
    json.dumps({"kind": "pass on", "clients": [["", {}, ""]]}),
    json.dumps({"kind": "replace"}),
    json.dumps({"kind": "failed"}),
    json.dumps({"kind": "fork", "slot": 0}),
]


def test_master_and_worker_go_on(server: Server) -> None:
    server.start("-w", "1")
    before = server.workers()
    for text in SCRIBBLES:
        answer = server.get(f"/scribble?text={quote(text)}")
        assert answer == (200, b"scribbled\n"), text
    assert server.get("/pid") == (200, str(before[0]).encode())
    assert server.workers() == before
    server.wait_log("ignored message .* kind=READY")
    assert server.stop() == 0


def test_a_forged_pid_is_not_the_worker_that_is_killed(server: Server) -> None:
    """A master of root would kill whom it is told."""
    server.start("-w", "1", "--timeout", "1")
    server.get(f"/scribble?text={quote(json.dumps({'kind': 'forked', 'pid': 1}))}")
    (worker,) = server.workers()
    with pytest.raises(ConnectionError):
        server.get("/sleep?s=30")
    server.wait_log(rf"lost worker cause=\S.*deadline.* pid={worker} ")

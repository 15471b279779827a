"""Commands inside a container: they see the server that is there, and no other."""

import sys
from collections.abc import Iterator

import pytest
from serving import Server
from serving.container import Container

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.container]

PREFORK = [sys.executable, "-m", "prefork.cli.control"]


@pytest.fixture
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of the same network and user, but not in the container."""
    server = Server(tmp_path_factory.mktemp("neighbour"))
    yield server.start("-w", "1", "-n", "neighbour")
    assert server.stop() == 0
    assert not server.clean_up()


def test_the_only_master_is_the_one_in_the_container(
    container: Container, neighbour: Server
) -> None:
    container.start("-w", "1", "-n", "inside")
    head, line = container.run_inside([*PREFORK, "list"]).splitlines()
    assert head.split()[:2] == ["PID", "NAME"]
    assert line.split()[:3] == ["1", "inside", "serving"]
    assert container.run_inside([*PREFORK, "status"]).startswith("inside: serving, ")
    # With the first process all others are killed: nobody can wait in there.
    container.run_inside([*PREFORK, "stop", "--no-wait"])
    assert container.wait() == 0
    assert neighbour.get("/")[0] == 200

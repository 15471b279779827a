"""contrib/container: each step of the Dockerfile, in a container of namespaces."""

import json
import re
from pathlib import Path

import pytest
from serving.container import Container, why_not
from serving.package import build, install, run

from prefork.config import load

ROOT = Path(__file__).parents[2]
FILE = ROOT / "contrib" / "container" / "Dockerfile"


def steps(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name} (.*)$", FILE.read_text())


def test_what_is_copied_is_there() -> None:
    assert [each.split() for each in steps("COPY")] == [
        [".", "/source"],
        ["--from=build", "/wheels", "/wheels"],
        ["contrib/demo", "/srv/app"],
    ]
    assert steps("WORKDIR") == ["/srv/app"]
    assert (ROOT / "contrib" / "demo" / "app.py").exists()


def test_it_is_done_before_docker_kills() -> None:
    arguments = json.loads(steps("CMD")[0])
    settings = load(arguments[1:], {}, prog="prefork-wsgi").settings
    assert settings.graceful_timeout < 10


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.container
def test_the_demonstration_is_served_and_is_healthy(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(f"no container here: {reason}")
    (tmp_path / "wheels").mkdir()
    _, wheel = build(tmp_path / "wheels")
    programs = install(wheel, tmp_path / "installed")
    container = Container(tmp_path)
    try:
        command = words(steps("CMD")[0], "0.0.0.0:8000", "127.0.0.1:0")
        demo = ROOT / "contrib" / "demo"
        container.launch(
            [str(programs / command[0]), *command[1:]], cwd=demo, env={"PYTHONPATH": ""}
        )
        container.wait_ready()
        health = words(steps("HEALTHCHECK CMD")[0], ":8000", f":{container.port}")
        run([programs / health[0], *health[1:]])
        assert container.stop() == 0
    finally:
        assert not container.clean_up()


def words(step: str, old: str, new: str) -> list[str]:
    """Those of a command, at another address."""
    assert old in step
    return [str(word) for word in json.loads(step.replace(old, new))]

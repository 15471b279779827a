"""Fixtures for process tests: a server, and what a failing test should show.

And the account of what others have to provide: the programs that tests talk to, or
compare with, and containers.  Where one is missing a test skips, which the closing
summary says; where CI=true it is a failure.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from serving import Server

HERE = Path(__file__).parent
IS_CI = os.environ.get("CI") == "true"
OF_OTHERS = {  # marks
    "frontend": "front-end",
    "counterpart": "counterpart",
    "container": "container",
    "systemd": "systemd",
}


def pytest_configure() -> None:
    """Have everything find what it expects."""
    # A shell that puts us in the background has us ignore these, and so would every
    # program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    # 200 ms for each example are the processor's to give, and not the code's to take.
    settings.register_profile("patient", settings.default, deadline=None)
    settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who shares fixtures shares a process: a folder with a conftest.py of its own,
    else a file (pytest-xdist, --dist loadgroup)."""
    for item in items:
        folder = item.path.parent
        shared = folder != HERE and (folder / "conftest.py").exists()
        item.add_marker(pytest.mark.xdist_group(str(folder if shared else item.path)))


@pytest.fixture(autouse=True)
def _stay_here() -> Iterator[None]:
    """What a test runs in this process may go elsewhere, as a worker does."""
    here = os.getcwd()
    yield
    os.chdir(here)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server to start(); killed afterwards, and it must leave nothing behind."""
    server = Server(tmp_path)
    yield server
    left = server.clean_up()
    if server.log_path.exists():
        print(f"--- {server.log_path} ---\n{server.log}")
    assert not left, f"left behind: {left}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test of theirs that skipped is a hole in what was tested."""
    if IS_CI and any(_skipped(session.config, mark) for mark in OF_OTHERS):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Count the tests that had nobody to talk to, and say why."""
    for mark, what in OF_OTHERS.items():
        if skipped := _skipped(config, mark):
            reasons = {
                report.longrepr[2].removeprefix("Skipped: ") for report in skipped
            }
            line = f"{len(skipped)} {what} tests skipped: {', '.join(sorted(reasons))}"
            if IS_CI:
                line += " (a failure, since CI=true)"
            terminalreporter.write_line(line, yellow=True)


def _skipped(config: pytest.Config, mark: str) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [report for report in reports if mark in report.keywords]

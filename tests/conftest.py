"""Fixtures for process tests: a server, and what a failing test should show.

And the account of the front ends: a test of one that is not installed skips, which
the closing summary says; where CI=true it is a failure.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server


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
    """In CI a front-end test that skipped is a hole in what was tested."""
    if os.environ.get("CI") == "true" and _skipped_front_ends(session.config):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Count the tests that had no front end to talk to, and say why."""
    if skipped := _skipped_front_ends(config):
        reasons = {report.longrepr[2] for report in skipped}
        why = ", ".join(sorted(reason.removeprefix("Skipped: ") for reason in reasons))
        line = f"{len(skipped)} front-end tests skipped: {why}"
        if os.environ.get("CI") == "true":
            line += " (a failure, since CI=true)"
        terminalreporter.write_line(line, yellow=True)


def _skipped_front_ends(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [report for report in reports if "frontend" in report.keywords]

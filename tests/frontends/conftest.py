"""Every front end with every protocol it speaks, and one table of what came of it.

The tests in here that ask for `front` run for each of them.
"""

from collections.abc import Iterator

import pytest
from serving.front_end import FrontEnd
from serving.make import Make
from serving.makes import MAKES
from serving.matrix import Outcome, format_matrix
from serving.pool import TRANSPORTS, Pool

WANTED = tuple({each for make in MAKES.values() for each in make.protocols})
PAIRS = [
    pytest.param((make, protocol, transport), id=f"{make.name}-{protocol}-{transport}")
    for make in MAKES.values()
    for protocol in make.protocols
    for transport in TRANSPORTS
]


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """One prefork for all of them."""
    pool = Pool()
    pool.serve("-w", "4", "--max-body", "8M", protocols=WANTED)
    yield pool
    left = pool.clean_up()
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session", params=PAIRS)
def running(pool: Pool, request: pytest.FixtureRequest) -> Iterator[FrontEnd]:
    make, protocol, transport = request.param
    need(make)
    with FrontEnd(make, protocol, pool.place(protocol, transport)) as front:
        yield front


@pytest.fixture
def front(
    running: FrontEnd, pool: Pool, request: pytest.FixtureRequest
) -> Iterator[FrontEnd]:
    """A front end before the pool; what it cannot do is expected to fail."""
    test = request.node.originalname.removeprefix("test_")
    make, protocol, transport = running.make, running.protocol, running.transport
    kind = (make.name, protocol, transport, test.replace("_", " "))
    request.node.user_properties.append(("front end", kind))
    if reason := make.lack(test, protocol, transport):
        if test in make.spared:
            pytest.xfail(reason)
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    lines, more = len(running.log), len(pool.log)
    yield running
    print(f"--- {running.make.name} ---\n{running.log[lines:]}")
    print(f"--- prefork ---\n{pool.log[more:]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a test, one column a front end with a protocol."""
    outcomes = [
        Outcome(*kind, is_ok=not report.failed, lack=getattr(report, "wasxfail", ""))
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
        for name, kind in report.user_properties
        if name == "front end" and (report.when == "call" or not report.passed)
    ]
    if outcomes:
        terminalreporter.section("front ends")
        for line in format_matrix(sorted(outcomes, key=place)):
            terminalreporter.write_line(line)


def place(outcome: Outcome) -> tuple[int, int]:
    """Columns in the order of the makes and of what they speak."""
    make = MAKES[outcome.make]
    return [*MAKES].index(make.name), make.protocols.index(outcome.protocol)


def need(make: Make) -> None:
    if not make.path:
        pytest.skip(f"{make.program} is not installed")

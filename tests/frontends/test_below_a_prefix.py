"""An application that is not at the root of a web server, but at /app."""

from collections.abc import Iterator

import pytest
from serving.front_end import FrontEnd
from serving.makes import MAKES
from serving.pool import Pool

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]

PAIRS = [
    pytest.param(make, protocol, id=f"{make.name}-{protocol}")
    for make in MAKES.values()
    for protocol in make.protocols
]


@pytest.fixture(scope="module")
def prefixed() -> Iterator[Pool]:
    protocols = tuple({each for make in MAKES.values() for each in make.protocols})
    pool = Pool().serve("-w", "2", "--script-name", "/app", protocols=protocols)
    yield pool
    left = pool.clean_up()
    assert not left, f"left behind: {left}"


@pytest.mark.parametrize(("make", "protocol"), PAIRS)
def test_the_prefix_is_script_name(prefixed, make, protocol) -> None:
    if not make.path:
        pytest.skip(f"{make.program} is not installed")
    with FrontEnd(
        make, protocol, prefixed.place(protocol, "unix"), below=True
    ) as front:
        for target, path in [("/app", ""), ("/app/", "/"), ("/app/a%20b?c", "/a b")]:
            told = front.get(target).json()
            assert (told["SCRIPT_NAME"], told["PATH_INFO"]) == ("/app", path)

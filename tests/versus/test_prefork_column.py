"""prefork's column of the comparison: `make versus` shows the others beside it."""

from pathlib import Path

import pytest

from versus.events import EVENTS
from versus.python_servers import Prefork

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.mark.parametrize("event", EVENTS)
def test_all_is_well_whatever_happens(event: str, tmp_path: Path) -> None:
    server = Prefork(tmp_path / "server")
    try:
        finding = EVENTS[event](server)
        print(f"{finding.text}\n--- log ---\n{server.log}")
        assert finding.is_well, finding.text
    finally:
        server.clean_up()

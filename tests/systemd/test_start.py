"""A start under systemd: when it is over, and what is said when it fails."""

import re

import pytest
from serving import eventually
from serving.unit import APPLICATION, Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_is_over_when_all_workers_serve(unit: Unit) -> None:
    unit.start()
    assert "ready workers=8" in unit.journal()
    assert unit.show("Type") == "notify"
    assert unit.ask("/") == "version 1"


def test_may_take_longer_than_systemd_would_wait(unit: Unit) -> None:
    """An import of 6 s, where systemd gives 4."""
    unit.write_application("import time\ntime.sleep(6)\n" + APPLICATION)
    unit.change("TimeoutStartSec=4")
    unit.start()
    assert unit.ask("/") == "version 1"


def test_fails_with_the_traceback_of_a_broken_application(unit: Unit) -> None:
    unit.write_application("import there_is_no_such_module\n")
    unit.change("Restart=no")
    assert unit.control("start").code != 0
    assert unit.show("ExecMainStatus") == "70"
    assert "No module named 'there_is_no_such_module'" in unit.journal()


def test_is_left_alone_after_five_tries_until_that_is_forgotten(unit: Unit) -> None:
    unit.change("RestartSec=0")
    unit.write_application("1 / 0\n")
    assert unit.control("start").code != 0
    eventually(lambda: unit.state == "failed failed", within=30)
    unit.write_application(APPLICATION)
    unit.control("reset-failed")
    unit.start()
    assert unit.ask("/") == "version 1"


def test_is_not_tried_again_with_a_bad_configuration(unit: Unit) -> None:
    unit.run_with("--workers many app:wsgi")
    assert unit.control("start").code != 0
    assert (unit.show("ExecMainStatus"), unit.show("NRestarts")) == ("78", "0")
    assert unit.state == "failed failed"


def test_refuses_addresses_beside_the_sockets_of_systemd(unit: Unit) -> None:
    unit.run_with("-b 127.0.0.1:8000 app:wsgi")
    assert unit.control("start").code != 0
    assert unit.show("ExecMainStatus") == "78"
    assert "--bind: the server is given its sockets by systemd" in unit.journal()


def test_leaves_its_variables_to_nobody(unit: Unit) -> None:
    unit.start()
    assert unit.ask("/surroundings") == "clean"


def test_tells_how_it_is(unit: Unit) -> None:
    unit.start()
    status = eventually(
        lambda: re.fullmatch(
            r"0/8 busy, \d+ req/s, gen 1, queue 0", unit.show("StatusText")
        )
    )
    assert status


def test_the_journal_knows_what_is_worse(unit: Unit) -> None:
    """Each line has the priority of its event; a traceback is one block."""
    unit.start()
    unit.ask("/fail", more="--expect 500")
    lines = eventually(lambda: [p for p in unit.priorities() if "on purpose" in p[1]])
    assert lines[0][0] == 3
    told = unit.priorities()
    assert (6, "info ready workers=8 generation=1") in told
    begin = next(n for n, (_, text) in enumerate(told) if text.startswith("error "))
    end = next(n for n, (_, text) in enumerate(told) if "on purpose" in text)
    block = told[begin + 1 : end + 1]
    assert all(text.startswith("  ") for _, text in block)
    assert {priority for priority, _ in block} == {3}


def test_a_client_does_not_choose_the_priority_of_its_access_line(unit: Unit) -> None:
    arguments = "-w 1 --access-logfile - --access-logformat %%({x-id}i)s app:wsgi"
    unit.run_with(arguments)
    unit.start()
    unit.ask("/", more="-H X-Id:<0>fire")
    assert eventually(lambda: (6, "<0>fire") in unit.priorities())

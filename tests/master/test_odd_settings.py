"""Settings at the ends of what they accept, at a reload: the master outlives them."""

import json
import os
import signal
from collections.abc import Iterator

import pytest
from serving import Server, Site, eventually

from prefork.config import load
from prefork.errors import ConfigError
from prefork.settings import FIXED
from prefork.settings.gateways import WSGI
from prefork.settings.registry import settings_of

pytestmark = [pytest.mark.process, pytest.mark.slow]

# What makes no sense to be odd: there would be no server, nobody to ask it, another
# program, or a worker who has no right or no room to live.
ORDINARY = {*FIXED, "app", "bind", "workers", "once", "chdir", "user", "group"}
ORDINARY |= {"rlimit", "cpu_affinity", "nice", "umask", "max_rss", "reload"}
ORDINARY |= {"proxy_protocol", "boot_timeout", "log_level", "bake", "script_name"}

# Of these nearly all odd values are refused in time; they hide what the others do.
FASTIDIOUS = {"socket_owner", "access_logfile", "canary_path", "env"}

NUMBERS = [0, 1, 5e-324, 1e-9, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**63 - 1]
NUMBERS += [2**63, 2**64, 2**70, 10**18, 1e6, 1e300, float("inf"), -1, -(2**31)]
TEXTS = ["", "0777", "x" * 5000, "€", "a b\n", "\x7f", "/" + "a" * 4000, "..", "*"]
TEXTS += ["65535:65535", "-1"]
ODD = [*NUMBERS, *TEXTS, [], ["€"] * 200, True, False, {"A": "€" * 2000}]


def write(value: object) -> str:
    """As TOML has it: JSON has the same words, but for objects and escapes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def accepted(name: str, server: Server) -> Iterator[str]:
    """Each odd value that is a value of this setting, as TOML."""
    path = server.directory / "odd.toml"
    for value in ODD:
        path.write_text(f"{name} = {write(value)}\n")
        try:
            load(["-c", str(path)], {}, prog="test")
        except ConfigError:
            continue
        yield write(value)


def test_odd_values_of_every_setting(server: Server) -> None:
    """All first ones together, all second ones, and so on."""
    site = Site(server.directory)
    server.start("-w", "1", app=site.app, env=site.env)
    columns = {
        setting.name: list(accepted(setting.name, server))
        for setting in settings_of(WSGI)
        if setting.name not in ORDINARY
    }
    columns = {name: values for name, values in columns.items() if values}
    assert len(columns) > 30
    outcomes = []
    for names in (columns.keys() - FASTIDIOUS, FASTIDIOUS):
        for row in range(max(len(columns[name]) for name in names)):
            values = {name: columns[name][row % len(columns[name])] for name in names}
            lines = [f"{name} = {value}\n" for name, value in values.items()]
            (server.directory / "prefork.toml").write_text("".join(lines))
            outcomes.append(reload(server))
    assert outcomes.count("commit") > 10
    (server.directory / "prefork.toml").write_text("")
    site.publish("last")
    assert reload(server) == "commit"
    assert server.get("/version") == (200, b"last")
    assert "master failed" not in server.log
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0


def reload(server: Server) -> str:
    """Either committed or rolled back; which of them."""
    before = server.log.count("phase=commit"), server.log.count("reload failed")
    server.signal(signal.SIGHUP)

    def outcome() -> str:
        committed, failed = before
        if server.log.count("phase=commit") > committed:
            return "commit"
        return "failed" if server.log.count("reload failed") > failed else ""

    return eventually(outcome, within=30)

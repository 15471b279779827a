"""prefork.master.fixed: what a reload cannot change, and says so."""

from prefork.master.fixed import keep_fixed
from prefork.settings import FIXED, Settings
from prefork.settings.registry import SETTINGS


def keep(wanted: Settings, in_force: Settings) -> tuple[Settings, list[str]]:
    """The settings that are left, and the names that were warned of."""
    warned: list[str] = []
    kept = keep_fixed(
        wanted, in_force, warn=lambda event, name, reason: warned.append(name)
    )
    return kept, warned


def test_a_change_that_needs_a_restart_is_ignored_and_named() -> None:
    in_force = Settings(pid="/run/a.pid", workers=Settings().workers)
    kept, warned = keep(Settings(pid="/run/b.pid", daemon=True), in_force)
    assert (kept.pid, kept.daemon) == ("/run/a.pid", False)
    assert set(warned) == {"pid", "daemon"}


def test_it_is_named_again_at_the_next_reload() -> None:
    wanted = Settings(error_logfile="/var/log/new")
    kept, first = keep(wanted, Settings())
    _, second = keep(wanted, kept)
    assert first == second == ["error_logfile"]


def test_everything_else_is_as_wanted() -> None:
    wanted = Settings(timeout=7.0, log_level="debug", name="shop")
    assert keep(wanted, Settings()) == (wanted, [])


def test_what_is_fixed_are_settings() -> None:
    assert set(FIXED) <= set(SETTINGS)

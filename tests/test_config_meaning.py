"""prefork.config.meaning: what names in a configuration mean just now."""

import pytest

from prefork.config.meaning import find_meanings
from prefork.errors import ConfigError
from prefork.settings import Settings


def test_an_owner_becomes_numbers() -> None:
    """The master has none to look up any more, who could be kept waiting."""
    assert find_meanings(Settings(socket_owner="root:root")).owner == (0, 0)
    assert find_meanings(Settings(socket_owner="12:34")).owner == (12, 34)


def test_without_an_owner_there_is_none() -> None:
    assert find_meanings(Settings()).owner is None


def test_an_owner_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="nobody-knows-this"):
        find_meanings(Settings(socket_owner="nobody-knows-this"))


def test_the_hosts_of_addresses_become_numbers() -> None:
    settings = find_meanings(Settings(bind=("localhost:80", "127.0.0.1:81")))
    (host,) = settings.hosts
    assert host in ("localhost=127.0.0.1", "localhost=::1")

"""prefork.worker.retirement: to whom the clients go, and until when."""

from collections.abc import Container
from types import SimpleNamespace

import pytest

from prefork.system.channel import Message
from prefork.worker.retirement import Retirement


class Lobby:
    """Knows only whether its doors are closed; nobody is in there."""

    def __init__(self) -> None:
        self.closed: list[tuple[bool, float]] = []

    def is_empty(self) -> bool:
        return True

    def close_doors(self, *, drain: bool, last_word: float) -> None:
        self.closed.append((drain, last_word))


class Relief:
    """Remembers for which doors it was to give clients away."""

    def __init__(self) -> None:
        self.given: list[set[str]] = []
        self.taken: list[str] = []
        self.is_settled = True

    def give_silent(self, doors: Container[str]) -> None:
        assert isinstance(doors, frozenset)
        self.given.append(set(doors))

    def take_in(self, message: Message) -> None:
        self.taken.append(message.kind)


@pytest.fixture
def lobby() -> Lobby:
    return Lobby()


@pytest.fixture
def relief() -> Relief:
    return Relief()


@pytest.fixture
def retirement(lobby: Lobby, relief: Relief) -> Retirement:
    return Retirement(lobby, relief)  # type: ignore[arg-type]


def order(*heirs: str, drain: bool = False) -> Message:
    return Message("retire", {"drain": drain, "heirs": list(heirs)}, [], 0)


def may_keep(retirement: Retirement, door: str, *, is_front_end: bool = False) -> bool:
    client = SimpleNamespace(
        door=SimpleNamespace(name=door),
        conversation=SimpleNamespace(is_front_end=is_front_end),
    )
    return retirement.may_keep(client)  # type: ignore[arg-type]


def test_before_it_everyone_is_kept(retirement: Retirement) -> None:
    assert may_keep(retirement, "http")


def test_whoever_has_an_heir_is_kept_and_given_away(
    retirement: Retirement, relief: Relief
) -> None:
    retirement.obey(order("http"))
    retirement.advance()
    assert may_keep(retirement, "http")
    assert not may_keep(retirement, "http of another port")
    assert relief.given == [{"http"}]


def test_without_an_heir_only_a_front_end_is_served_on(
    retirement: Retirement, relief: Relief
) -> None:
    """As it cannot be told which answer is the last one."""
    retirement.obey(order())
    retirement.advance()
    assert not may_keep(retirement, "http")
    assert may_keep(retirement, "fastcgi", is_front_end=True)
    assert relief.given == []


def test_a_stop_gives_nobody_away_and_waits_for_no_pause(
    retirement: Retirement, lobby: Lobby
) -> None:
    """Behaviour 40: also in the middle of a reload."""
    retirement.obey(order("fastcgi"))
    retirement.obey(order(drain=True))
    assert not may_keep(retirement, "fastcgi", is_front_end=True)
    assert [drain for drain, _ in lobby.closed] == [False, True]


def test_when_the_master_is_gone_there_are_no_heirs(
    retirement: Retirement, lobby: Lobby
) -> None:
    """Behaviour 48: nobody would pass them on."""
    retirement.obey(order("http"))
    retirement.begin(drain=False)
    assert not may_keep(retirement, "http")
    assert len(lobby.closed) == 1


def test_who_comes_now_stays(retirement: Retirement, relief: Relief) -> None:
    """Or two that retire would send it to and fro."""
    retirement.obey(order("http"))
    retirement.take_in(Message("take in", {}, [], 0))
    retirement.advance()
    assert relief.taken == ["take in"]
    assert relief.given == []


def test_it_is_over_when_all_who_were_given_away_have_homes(
    retirement: Retirement, relief: Relief
) -> None:
    """The master may send them back."""
    assert not retirement.is_over
    retirement.obey(order("http"))
    relief.is_settled = False
    assert not retirement.is_over
    relief.is_settled = True
    assert retirement.is_over

"""prefork.worker.loop: how it ends; what it serves is in the live tests."""

from collections.abc import Callable
from typing import Any

from prefork.system.channel import Channel, Message
from prefork.worker.limits import Lifespan
from prefork.worker.loop import Worker


class Lobby:
    """Where nothing happens, but that the time passes."""

    def __init__(self) -> None:
        self.watched: dict[int, Callable[[], None]] = {}
        self.pass_time = lambda: None

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self.watched[fd] = callback

    def unwatch(self, fd: int) -> None:
        del self.watched[fd]

    def next(self) -> None:
        self.pass_time()

    def count(self) -> tuple[int, int]:
        return 0, 0


class Retirement:
    """It is over when those who were sent here have left."""

    is_going_on = False

    def __init__(self) -> None:
        self.guests = 0
        self.taken = 0

    @property
    def is_over(self) -> bool:
        return not self.guests

    def obey(self, message: Message) -> None:
        raise NotImplementedError

    def take_in(self, message: Message) -> None:
        self.guests += 1
        self.taken += 1


class Anything:
    """Whatever a loop asks of it, there is none."""

    def __getattr__(self, name: str) -> Any:
        return lambda *given: None


def test_who_was_sent_here_at_the_last_moment_is_taken_in(
    channels: tuple[Channel, Channel],
) -> None:
    """The master has chosen us before it could know that we leave."""
    master, worker = channels
    lobby, retirement = Lobby(), Retirement()
    said: list[bool] = []

    def see_the_guest_off() -> None:
        said.append(master.send("take in"))
        retirement.guests = 0

    lobby.pass_time = see_the_guest_off
    master.send("take in")
    make_worker(lobby, retirement, worker).run()
    assert retirement.taken == 1
    assert said == [False]  # the master gives the next one to somebody else
    assert worker.fileno() not in lobby.watched


def make_worker(lobby: Lobby, retirement: Retirement, channel: Channel) -> Worker:
    nobody: Any = Anything()
    nobody.fileno = lambda: -1
    return Worker(
        lobby=lobby,  # type: ignore[arg-type]
        retirement=retirement,  # type: ignore[arg-type]
        service=nobody,
        channel=channel,
        signals=nobody,
        slot=nobody,
        lifespan=Lifespan(),
        grace=1.0,
        log=nobody,
        find_hazards=nobody,
        on_message={},
    )

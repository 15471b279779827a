"""When a worker has served long enough, and when a client is too slow."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifespan:
    """How long one worker may live; 0 means for ever."""

    requests: int = 0
    rss: int = 0  # bytes
    until: float = 0.0  # monotonic seconds

    @property
    def is_limited(self) -> bool:
        return bool(self.requests or self.rss or self.until)

    def is_over(self, *, requests: int, rss: int, now: float) -> str:
        """Why the worker should be replaced now; "" if it should not."""
        if self.requests and requests >= self.requests:
            return f"max-requests {self.requests}"
        if self.rss and rss > self.rss:
            return f"max-rss {self.rss}: {rss} bytes"
        if self.until and now >= self.until:
            return "max-lifetime"
        return ""


def spread_lifespan(
    *,
    requests: int,
    jitter: int,
    rss: int,
    lifetime: float,
    now: float,
    chance: float,
) -> Lifespan:
    """A lifespan of its own for each worker, so that they do not leave together.

    `chance` in [0, 1) is the worker's luck: it adds that part of `jitter`
    requests, and takes up to a tenth off the lifetime.
    """
    return Lifespan(
        requests=requests + int(chance * (jitter + 1)) if requests else 0,
        rss=rss,
        until=now + lifetime * (1 - chance / 10) if lifetime else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeadlines:
    """How long a client may keep the lobby waiting, in seconds."""

    header: float
    body: float
    body_min_rate: int  # bytes a second
    keep_alive: float
    frontend_keep_alive: float
    write: float
    retirement: float  # that of the worker, for everyone

    def for_idle(self, *, is_front_end: bool) -> float:
        """Seconds that a connection is kept for another request; 0: it is not."""
        return self.frontend_keep_alive if is_front_end else self.keep_alive

    def for_body(self, *, since: float, received: int, now: float) -> float:
        """When a body has been too slow: silent for too long, or below the rate.

        The rate counts from the beginning, after one `body` timeout of grace.
        """
        silent = now + self.body
        if not self.body_min_rate:
            return silent
        return min(silent, since + self.body + received / self.body_min_rate)

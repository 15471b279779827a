"""What `prefork top` shows at each look, and the same as plain text."""

from collections.abc import Iterator
from dataclasses import dataclass

from prefork.cli.calling import Fields, RunningMaster, ask, knows_pids
from prefork.cli.status import (
    describe_number,
    describe_queue,
    describe_reload,
    describe_request,
    describe_workers,
    find_pid,
    sees_requests,
)
from prefork.monitor.escape import escape_unprintable
from prefork.monitor.figures import (
    format_count,
    format_duration,
    format_share,
    format_size,
    format_table,
)
from prefork.monitor.rates import Rates, Watch
from prefork.monitor.usage import Usage, Usages

HEAD = tuple("SLOT PID GEN STATE SINCE REQUESTS CPU RSS USS SHARED REQUEST".split())
RIGHT = HEAD[:3] + HEAD[4:10]


@dataclass(frozen=True, slots=True)
class View:
    """A server at one moment: what its master says, and what the system does."""

    status: Fields
    rates: Rates | None  # None: nobody sees the requests
    usages: dict[int, Usage]  # by pid


class Viewer:
    """Looks at a server again and again."""

    def __init__(self, master: RunningMaster) -> None:
        self.master = master
        self._watch = Watch()
        self._usages = Usages()

    def look(self) -> View:
        """CommandError when the master is gone."""
        status = ask(self.master, "status")
        slots = status["slots"] if knows_pids(self.master, status) else []
        pids = [pid for slot in slots if (pid := find_pid(slot))]
        rates = self._watch.look(status) if sees_requests(status) else None
        return View(status, rates, self._usages.look(pids))


def in_order(view: View) -> list[Fields]:
    """The slots, the one with the oldest request first; the idle ones by number."""
    return sorted(
        view.status["slots"],
        key=lambda slot: (-(slot["request_seconds"] or 0.0), slot["slot"]),
    )


def cells(view: View, slot: Fields) -> tuple[str, ...]:
    """One row, as HEAD names its columns."""
    usage = view.usages.get(find_pid(slot) or 0, Usage())
    return (
        str(slot["slot"]),
        describe_number(find_pid(slot)),
        str(slot["generation"]),
        slot["state"],
        format_duration(slot["seconds"]),
        describe_number(slot["requests"]),
        format_share(usage.cpu),
        format_size(usage.rss),
        format_size(usage.uss),
        format_share(usage.shared),
        escape_unprintable(describe_request(slot)),
    )


def format_plain(view: View) -> str:
    """Write all of it as text."""
    rows = [cells(view, slot) for slot in in_order(view)]
    head = "\n".join(map(escape_unprintable, _describe(view)))
    return f"{head}\n\n{format_table(HEAD, rows, right=RIGHT)}"


def title(status: Fields) -> str:
    return (
        f"{status['name']}  {status['state']}  pid {status['pid']}  "
        f"generation {status['generation']}  up {format_duration(status['uptime'])}"
    )


def _describe(view: View) -> Iterator[str]:
    status, rates = view.status, view.rates
    yield title(status)
    if rates is not None:
        yield (
            f"requests/s {format_count(rates.requests)}, "
            f"errors/s {format_count(rates.errors)}, busy {format_share(rates.busy)}, "
            f"p50 {format_duration(rates.p50)}, p99 {format_duration(rates.p99)}"
        )
    yield f"workers: {describe_workers(status)}"
    for bind in status["binds"]:
        yield f"{bind['url']}{describe_queue(bind)}"
    if text := describe_reload(status["reload"]):
        yield f"reload: {text}"

"""prefork status: a server at this moment, as a table or as JSON."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence

from prefork.cli.calling import Fields, add_choice, ask, choose, knows_pids
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError
from prefork.monitor.escape import escape_unprintable
from prefork.monitor.figures import format_duration, format_size, format_table

PROG = "prefork status"
HEAD = ("SLOT", "PID", "GEN", "STATE", "SINCE", "REQUESTS", "ERRORS", "RSS", "REQUEST")
RIGHT = ("SLOT", "PID", "GEN", "SINCE", "REQUESTS", "ERRORS", "RSS")


def main(argv: Sequence[str]) -> int:
    """Print what the master knows; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Show what a server does at this moment.  The master answers, so "
        "it works when all workers are stuck.",
        epilog=with_examples(
            "Exit status: 0, or 1 when there is no such master.",
            "prefork status",
            "prefork status --json | jq .workers",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        master = choose(options)
        status = ask(master, "status")
    except PreforkError as error:
        return report(error, prog=PROG)
    if options.json:
        print(json.dumps(status, indent=2))
    else:
        print(format_status(status, knows_pids=knows_pids(master, status)))
    return EXIT_OK


def format_status(status: Fields, *, knows_pids: bool) -> str:
    """Write a head, and a line for each worker."""
    rows = [_row(slot, knows_pids=knows_pids) for slot in status["slots"]]
    head = "\n".join(map(escape_unprintable, describe(status)))
    return f"{head}\n\n{format_table(HEAD, rows, right=RIGHT)}"


def describe(status: Fields) -> Iterator[str]:
    """Write about the server as a whole: some lines."""
    yield (
        f"{status['name']}: {status['state']}, pid {status['pid']}, "
        f"up {format_duration(status['uptime'])}, generation {status['generation']}, "
        f"prefork {status['version']}"
    )
    for bind in status["binds"]:
        yield f"listening  {bind['url']}{describe_queue(bind)}"
    yield f"workers    {describe_workers(status)}"
    if sees_requests(status):
        yield f"requests   {_describe_requests(status)}"
    if text := describe_reload(status["reload"]):
        yield f"reload     {text}"


def sees_requests(status: Fields) -> bool:
    """Not if the workers keep a program, which alone knows what it serves."""
    return status["totals"] is not None


def _describe_requests(status: Fields) -> str:
    totals, latency = status["totals"], status["latency"]
    times = ", ".join(
        f"{name} {format_duration(latency[name])}" for name in ("p50", "p90", "p99")
    )
    return f"{totals['requests']}, {totals['errors']} errors; {times}"


def describe_queue(bind: Fields) -> str:
    return "" if bind["queue"] is None else f", {bind['queue']} in the queue"


def describe_workers(status: Fields) -> str:
    """Write `4 of 2:8 serve, 1 busy`, and what is out of the ordinary."""
    workers = status["workers"]
    words = [f"{workers['serving']} of {workers['scale']} serve"]
    words += [f"{workers['busy']} busy"] if sees_requests(status) else []
    words += [f"{workers[w]} {w}" for w in ("starting", "leaving") if workers[w]]
    return ", ".join(words)


def describe_reload(reload: Fields) -> str:
    """Write about the one that is going on, else about the last one."""
    if reload["phase"]:
        of_what = " of a refork" if reload["cause"] == "refork" else ""
        return f"in phase {reload['phase']}{of_what}"
    last = reload["last"]
    if not last:
        return ""
    ago = format_duration(max(0.0, time.time() - last["when"])) + " ago"
    if not last["status"]:
        return f"generation {last['generation']} came {ago}"
    reason = (str(last["text"]).strip().splitlines() or [""])[-1].strip()
    return f"failed {ago} in phase {last['phase']}: {reason}"


def _row(slot: Fields, *, knows_pids: bool) -> tuple[str, ...]:
    return (
        str(slot["slot"]),
        describe_number(find_pid(slot)),
        str(slot["generation"]),
        slot["state"],
        format_duration(slot["seconds"]),
        describe_number(slot["requests"]),
        describe_number(slot["errors"]),
        format_size(_read_rss(find_pid(slot)) if knows_pids else None),
        describe_request(slot),
    )


def find_pid(slot: Fields) -> int | None:
    """The pid of who serves: the program that a worker keeps, or the worker."""
    pid: int | None = slot.get("program") or slot["pid"]
    return pid


def describe_number(number: int | None) -> str:
    """Write - for what is not known, as of a program that is kept."""
    return "-" if number is None else str(number)


def describe_request(slot: Fields) -> str:
    """Write method and path of what is being served; the scoreboard has them cut."""
    return slot["request"].partition(" ")[2] if slot["busy"] else ""


def _read_rss(pid: int | None) -> int | None:
    from psutil import Error, Process  # 10 ms, which --json can do without

    try:
        return Process(pid).memory_info().rss if pid else None
    except Error:
        return None

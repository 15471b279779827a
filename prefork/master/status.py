"""What a master knows of its server at this moment, for `prefork status`.

All of it is in the master's memory or in the scoreboard: no worker is asked, so
the answer takes milliseconds when all of them are stuck.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

from prefork import __version__
from prefork.master.house import House
from prefork.master.obituary import SECOND
from prefork.master.roster import STARTING, Member
from prefork.master.states import State
from prefork.monitor.scoreboard import Tenant
from prefork.monitor.totals import percentile, read_totals
from prefork.system.queue import read_queue

Fields = dict[str, Any]


def describe(house: House) -> Fields:
    """Everything, ready for JSON; times are in seconds."""
    now = time.monotonic()
    settings = house.staff.target.settings
    return {
        "version": __version__,
        "pid": os.getpid(),
        "app": settings.app,
        "name": settings.title,
        "state": _state(house),
        "now": now,  # for rates: the difference of two answers
        "uptime": now - house.started_at,
        "generation": house.staff.target.number,
        "binds": list(_describe_binds(house)),
        "workers": count_workers(house),
        "slots": [_describe_slot(house, m, now) for m in _members(house)],
        "templates": list(_describe_templates(house)),
        "reload": _describe_reload(house),
        **_describe_totals(house),
    }


def _state(house: House) -> str:
    if house.stop.is_going_on:
        return "stopping"
    if house.crew.roster.in_states(State.SERVING):
        return "serving"
    return "starting" if house.staff.wanted else "without workers"


def _members(house: House) -> list[Member]:
    return sorted(house.crew.members(), key=lambda member: member.slot)


def count_workers(house: House) -> Fields:
    """How many there should be, and how many are how far."""
    roster, read = house.crew.roster, house.scoreboard.read
    serving = roster.in_states(State.SERVING)
    leaving = roster.in_states(State.RETIRING, State.ABORTED, State.KILLED)
    busy = sum(read(member.slot).is_busy for member in (*serving, *leaving))
    return {
        "wanted": house.staff.wanted,
        "scale": str(house.staff.scale),  # "8", or the least and the most: "2:8"
        "serving": len(serving),
        "busy": busy if house.staff.target.settings.sees_requests else None,
        "starting": len(roster.in_states(*STARTING)),
        "leaving": len(leaving),
    }


def _describe_binds(house: House) -> Iterator[Fields]:
    for listener in house.listeners.open:
        queue = read_queue(listener.socket)  # None: nobody tells
        yield {"url": listener.url, "queue": queue}


def _describe_slot(house: House, member: Member, now: float) -> Fields:
    tenant = house.scoreboard.read(member.slot)
    state, since = _state_of(member, tenant)
    # The figures of a program that is kept are its own.
    known = not tenant.is_keeper
    return {
        "slot": member.slot,
        "pid": member.pid or None,
        "generation": member.generation,
        "state": state,
        "seconds": max(0.0, now - since),
        "busy": tenant.is_busy if known else None,
        "request": tenant.request,  # peer, method and target; when idle, of the last
        "request_seconds": _request_seconds(tenant, now),
        "requests": tenant.requests if known else None,
        "errors": tenant.errors if known else None,
        "program": (tenant.is_keeper and tenant.program) or None,  # the pid of it
        "busy_seconds": tenant.busy / SECOND if known else None,
        "lobby": tenant.lobby if known else None,
        "draining": tenant.draining if known else None,
        "uptime": now - member.ordered_at,
    }


def _state_of(member: Member, tenant: Tenant) -> tuple[str, float]:
    """The state in a word, and since when; one that serves is busy, or idle."""
    if member.state is not State.SERVING:
        is_starting = member.state in STARTING
        word = "starting" if is_starting else member.state.name.lower()
        return word, member.since
    if tenant.is_keeper:
        return "serving", member.since
    if tenant.is_busy:
        return "busy", tenant.started / SECOND
    return "idle", max(member.since, tenant.ended / SECOND)


def _request_seconds(tenant: Tenant, now: float) -> float | None:
    return max(0.0, now - tenant.started / SECOND) if tenant.is_busy else None


def _describe_templates(house: House) -> Iterator[Fields]:
    for generation in house.templates.generations.values():
        yield {
            "generation": generation.number,
            "pid": generation.pid or None,
            "stage": generation.stage.name.lower(),
        }


def _describe_reload(house: House) -> Fields:
    """Where the reload is that is going on; how the last one has ended."""
    reload, outcome = house.succession.reload, house.succession.outcome
    last = outcome and {
        "number": outcome.number,
        "status": outcome.exit_status,
        "phase": outcome.phase.value,
        "generation": outcome.generation,
        "text": outcome.reason,
        "when": outcome.when,
        "seconds": outcome.seconds,
    }
    return {
        "phase": reload.phase.value if reload else None,
        "cause": reload.cause.name if reload else None,  # reload or refork
        "last": last,
    }


def _describe_totals(house: House) -> Fields:
    if not house.staff.target.settings.sees_requests:
        return {"totals": None, "latency": None}
    totals = read_totals(house.scoreboard)
    return {
        "totals": {
            "requests": totals.requests,
            "errors": totals.errors,
            "sent": totals.sent,
            "busy_seconds": totals.busy / SECOND,
        },
        "latency": {
            "p50": percentile(totals.durations, 0.50),
            "p90": percentile(totals.durations, 0.90),
            "p99": percentile(totals.durations, 0.99),
            "durations": list(totals.durations),  # see prefork.monitor.totals
        },
    }

"""What a master knows of its server at this moment, for `prefork status`.

All of it is in the master's memory or in the scoreboard: no worker is asked, so
the answer takes milliseconds when all of them are stuck.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

from prefork import __version__
from prefork.master.parts import Parts
from prefork.master.roster import STARTING, Member
from prefork.master.states import State
from prefork.monitor.scoreboard import SECOND, Tenant
from prefork.monitor.totals import percentile, read_totals
from prefork.system.queue import read_queue

Fields = dict[str, Any]


def describe(parts: Parts) -> Fields:
    """Everything, ready for JSON; times are in seconds."""
    now = time.monotonic()
    settings = parts.staff.target.settings
    return {
        "version": __version__,
        "pid": os.getpid(),
        "app": settings.app,
        "name": settings.title,
        "state": _state(parts),
        "now": now,  # for rates: the difference of two answers
        "uptime": now - parts.started_at,
        "generation": parts.staff.target.number,
        "binds": list(_describe_binds(parts)),
        "workers": count_workers(parts),
        "slots": [_describe_slot(parts, m, now) for m in _members(parts)],
        "templates": list(_describe_templates(parts)),
        "reload": _describe_reload(parts),
        **_describe_totals(parts),
    }


def _state(parts: Parts) -> str:
    if parts.stop.is_going_on:
        return "stopping"
    if parts.crew.roster.in_states(State.SERVING):
        return "serving"
    return "starting" if parts.staff.wanted else "without workers"


def _members(parts: Parts) -> list[Member]:
    return sorted(parts.crew.members(), key=lambda member: member.slot)


def count_workers(parts: Parts) -> Fields:
    """How many there should be, and how many are how far."""
    roster, read = parts.crew.roster, parts.scoreboard.read
    serving = roster.in_states(State.SERVING)
    leaving = roster.in_states(State.RETIRING, State.ABORTED, State.KILLED)
    busy = sum(read(member.slot).is_busy for member in (*serving, *leaving))
    return {
        "wanted": parts.staff.wanted,
        "scale": str(parts.staff.scale),  # "8", or the least and the most: "2:8"
        "serving": len(serving),
        "busy": busy if parts.staff.target.settings.sees_requests else None,
        "starting": len(roster.in_states(*STARTING)),
        "leaving": len(leaving),
    }


def _describe_binds(parts: Parts) -> Iterator[Fields]:
    for listener in parts.listeners.open:
        queue = read_queue(listener.socket)  # None: nobody tells
        yield {"url": listener.url, "queue": queue}


def _describe_slot(parts: Parts, member: Member, now: float) -> Fields:
    tenant = parts.scoreboard.read(member.slot)
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


def _describe_templates(parts: Parts) -> Iterator[Fields]:
    for generation in parts.templates.generations.values():
        yield {
            "generation": generation.number,
            "pid": generation.pid or None,
            "stage": generation.stage.name.lower(),
        }


def _describe_reload(parts: Parts) -> Fields:
    """Where the reload is that is going on; how the last one has ended."""
    reload, outcome = parts.succession.reload, parts.succession.outcome
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


def _describe_totals(parts: Parts) -> Fields:
    if not parts.staff.target.settings.sees_requests:
        return {"totals": None, "latency": None}
    totals = read_totals(parts.scoreboard)
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

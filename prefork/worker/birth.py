"""How a worker comes to life: from what it was given at birth to its loop."""

import faulthandler
import gc
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from setproctitle import setproctitle

from prefork.errors import EXIT_CUT
from prefork.monitor.access import AccessLog
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import Scoreboard, WorkerSlot
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.table import DEFAULT_PROTOCOL, speak
from prefork.protocols.terms import Limits, Terms
from prefork.settings import Settings
from prefork.system.channel import Channel, Message
from prefork.system.execution import kill_group
from prefork.system.lifeline import Grip
from prefork.system.signals import DUMP_STACKS, RELIEVE, Handler, SignalPipe
from prefork.worker.client import Client
from prefork.worker.doors import Door
from prefork.worker.gateways import open_gateway
from prefork.worker.limits import ClientDeadlines, Lifespan, spread_lifespan
from prefork.worker.lobby import Lobby
from prefork.worker.loop import SHORTEST_GRACE, Worker
from prefork.worker.offspring import be_no_worker, keep_from_children
from prefork.worker.promotion import FindHazards, Promotion
from prefork.worker.relief import Relief
from prefork.worker.retirement import Retirement
from prefork.worker.service import Gateway, Service

# A worker is told what to do by its master.  These signals are meant for masters
# (`pkill -HUP prefork`) or end a worker by default, so they must do nothing.
IGNORED = (
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
)
OBEYED = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What a worker is given by its master and its template."""

    settings: Settings
    slot: int
    generation: int
    channel: Channel
    scoreboard: Scoreboard
    listeners: list[tuple[str, socket.socket]]  # (protocol, listening socket)
    bell: int
    grip: Grip
    log: Log
    access_log: AccessLog | None
    reopen_logs: Callable[[Message], None]
    find_hazards: FindHazards


def live(context: WorkerContext, loaded: Any) -> Promotion | None:
    """Serve; returns when the worker has retired.  Runs in the worker process.

    `loaded` is what its gateway wants (template/gateways.py).  One that is promoted
    has nothing left of this life when it returns.
    """
    settings = context.settings
    slot = context.scoreboard.worker_slot(context.slot)
    signals = _hear_signals(slot, context.grip, grace=settings.graceful_timeout)
    setproctitle(
        f"prefork: worker {context.slot} gen {context.generation} [{settings.title}]"
    )
    random.seed()  # what was imported may have seeded it, the same for all of us
    gc.enable()
    deadlines = client_deadlines(settings)
    gateway = open_gateway(settings, loaded, slot=slot, log=context.log)
    service = _open_service(context, gateway, slot, deadlines)
    doors = _doors(context)
    lobby = _open_lobby(context, doors, service, deadlines)
    keep_from_children(lobby, service, signals)
    relief = Relief(lobby, service, context.channel, slot, doors)
    _put_on_call(relief, settings)
    promotion = Worker(
        lobby=lobby,
        retirement=Retirement(lobby, relief),
        service=service,
        channel=context.channel,
        signals=signals,
        slot=slot,
        lifespan=_lifespan(settings),
        grace=settings.graceful_timeout,
        log=context.log,
        find_hazards=context.find_hazards,
        on_message={
            "reopen": context.reopen_logs,
            "adopt": lambda message: _adopt(lobby, doors[0], message),
            "passed on": relief.obey_passed_on,
        },
    ).run()
    if context.access_log is not None:
        context.access_log.tell_drops()
    if promotion is not None:
        _leave_no_trace(context, lobby, signals)
    return promotion


def _open_lobby(
    context: WorkerContext,
    doors: Sequence[Door],
    service: Service,
    deadlines: ClientDeadlines,
) -> Lobby:
    return Lobby(
        doors,
        context.bell,
        size=context.settings.lobby_size,
        body_buffer=context.settings.body_buffer,
        deadlines=deadlines,
        refuse=service.refuse,
        notice=context.log.warning,
    )


def _put_on_call(relief: Relief, settings: Settings) -> None:
    """Hand clients over whenever the master sends RELIEVE."""
    if not settings.relief:
        return
    signal.signal(RELIEVE, relief.hand_over)
    # What the kernel can resume goes on; sleep(3) and poll(2) in C code do not.
    signal.siginterrupt(RELIEVE, False)


def _open_service(
    context: WorkerContext,
    gateway: Gateway,
    slot: WorkerSlot,
    deadlines: ClientDeadlines,
) -> Service:
    return Service(
        context.settings,
        gateway=gateway,
        slot=slot,
        log=context.log,
        access_log=context.access_log,
        deadlines=deadlines,
    )


def _leave_no_trace(context: WorkerContext, lobby: Lobby, signals: SignalPipe) -> None:
    """Close what a worker has open, and hear signals no more.

    Not by leaving it to the garbage collector: an exception that the application
    has kept leads to our frames, and to all that they know.
    """
    be_no_worker()
    signals.leave()
    signal.signal(RELIEVE, signal.SIG_DFL)
    context.grip.let_go()
    faulthandler.unregister(DUMP_STACKS)
    lobby.close()
    context.channel.close()
    for _, listener in context.listeners:
        listener.close()


def _hear_signals(slot: WorkerSlot, grip: Grip, *, grace: float) -> SignalPipe:
    signals = SignalPipe(
        (*OBEYED, *IGNORED), handler=_bound_the_last_request(slot, grip, grace)
    )
    faulthandler.enable(file=2)
    faulthandler.register(DUMP_STACKS, file=2, all_threads=True)
    return signals


def _bound_the_last_request(slot: WorkerSlot, grip: Grip, grace: float) -> Handler:
    """A handler that limits a request whose deadline nobody keeps any more.

    The loop hears of the master's death when the request is over.  One that hangs
    would hold the port for ever, and no successor could have it.
    """
    master = os.getppid()

    def bound(number: int, frame: FrameType | None) -> None:
        if os.getppid() == master:
            return  # somebody else has sent it
        grip.let_go()
        left = (slot.deadline() - time.monotonic_ns()) / 1e9
        runs = slot.program()
        signal.signal(signal.SIGALRM, end_program if runs else signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, max(left, grace, SHORTEST_GRACE))

    def end_program(number: int, frame: FrameType | None) -> None:
        """End the program as well: it would outlive us.

        A handler in Python is enough for that: while a program runs we only wait.
        """
        if program := slot.program():
            kill_group(program)
        os._exit(EXIT_CUT)

    return bound


def _doors(context: WorkerContext) -> list[Door]:
    settings = context.settings
    terms = Terms(
        limits=Limits(
            line=settings.limit_request_line,
            fields=settings.limit_request_fields,
            field_size=settings.limit_request_field_size,
            variables=settings.limit_variables,
            variables_size=settings.limit_variables_size,
            body=settings.max_body,
        ),
        # PEP 3333: text of the environ is bytes as latin-1.
        script_name=os.fsencode(settings.script_name).decode("latin-1"),
        capacity=settings.workers.most,
        secret=settings.ajp_secret,
        web_servers=os.environ.get("FCGI_WEB_SERVER_ADDRS"),
    )
    trusted_peers = TrustedPeers(settings.forwarded_allow_ips)
    proxies = TrustedPeers(settings.proxy_allow_ips)
    return [
        Door(
            listener,
            protocol,
            terms,
            trusted_peers,
            proxies=proxies if settings.proxy_protocol else None,
        )
        for protocol, listener in context.listeners
    ]


def _adopt(lobby: Lobby, door: Door, message: Message) -> None:
    """Serve a connection that the master made itself: its canary request."""
    (fd,) = message.descriptors
    os.set_blocking(fd, False)
    remote = {"REMOTE_ADDR": "127.0.0.1"}
    # It asks in HTTP, whatever is spoken at the door.
    conversation = speak(DEFAULT_PROTOCOL, door.terms).converse(remote)
    lobby.admit(Client(fd, door, conversation))


def client_deadlines(settings: Settings) -> ClientDeadlines:
    return ClientDeadlines(
        header=settings.header_timeout,
        body=settings.body_timeout,
        body_min_rate=settings.body_min_rate,
        keep_alive=settings.keep_alive,
        frontend_keep_alive=settings.frontend_keep_alive,
        write=settings.write_timeout,
        retirement=settings.graceful_timeout,
    )


def _lifespan(settings: Settings) -> Lifespan:
    return spread_lifespan(
        requests=settings.max_requests,
        jitter=settings.max_requests_jitter,
        rss=settings.max_rss,
        lifetime=settings.max_lifetime,
        now=time.monotonic(),
        chance=random.SystemRandom().random(),
    )

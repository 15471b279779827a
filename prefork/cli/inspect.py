"""prefork inspect: look on, between a web server and what is behind it."""

import asyncio
import os
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.pointing import parse_end
from prefork.cli.recording import Recorder, Recording, create
from prefork.cli.report import report
from prefork.cli.transcripts import Transcripts
from prefork.errors import EXIT_OK, CommandError, PreforkError
from prefork.monitor.block import leave_plain, paint
from prefork.monitor.transcript import Page
from prefork.protocols.watching.table import SCRIPTS
from prefork.system.address import Address, AddressKind
from prefork.system.listen import Listener, close, open_listener
from prefork.system.relay import Observer, Relay

PROG = "prefork inspect"
AUTOMATIC = "auto"
CHOICE = ", ".join(SCRIPTS)


def main(argv: Sequence[str]) -> int:
    """Look on until interrupted, or read what was seen; return the exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    page = Page(print_at_once, paint=paint if sys.stdout.isatty() else leave_plain)
    try:
        if options.target is None:
            read_again(options, page)
        else:
            listen, target, protocol = read_ends(options)
            look_on(listen, target, protocol, options, page)
    except ValueError as error:
        parser.error(str(error))
    except PreforkError as error:
        return report(error, prog=PROG)
    except OSError as error:  # such as a disk that is full
        return report(CommandError(f"cannot go on: {error.strerror}"), prog=PROG)
    return EXIT_OK


def read_ends(options: Namespace) -> tuple[Address, Address, str]:
    """Where to listen, where to connect, and what is spoken; ValueError."""
    listen_protocol, listen = parse_end(options.listen)
    target_protocol, target = parse_end(options.target)
    named = {options.protocol, listen_protocol, target_protocol} - {""}
    if len(named) > 1:
        raise ValueError(f"several protocols: {', '.join(sorted(named))}")
    protocol = named.pop() if named else AUTOMATIC
    if protocol not in SCRIPTS:
        raise ValueError(f"unknown protocol {protocol!r} (there is {CHOICE})")
    return listen, target, protocol


def look_on(
    listen: Address, target: Address, protocol: str, options: Namespace, page: Page
) -> None:
    """Relay until a signal comes.  SystemRefusal, CommandError."""
    began = time.time()
    transcripts = Transcripts(protocol, page, began=began, with_bytes=options.hex)
    observer: Observer = transcripts
    with ExitStack() as stack:
        listener = stack.enter_context(opened_beside(target, listen))
        if options.save:
            saving = create(options.save, target.place, protocol, began)
            observer = Recorder(stack.enter_context(saving), transcripts)
        words = f"listening on {listener.name}, for {target.place}; ^C ends it"
        asyncio.run(run(Relay(listener, target, observer), words))
    tell(transcripts.summary)


async def run(relay: Relay, welcome: str) -> None:
    """Until SIGINT or SIGTERM, as the welcome says; then what is open is closed.

    OSError if what is seen cannot be written any more.
    """
    task = asyncio.ensure_future(relay.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    tell(welcome)
    await asyncio.wait([task])
    if not task.cancelled():
        error = task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error or AssertionError("a relay goes on until it is cancelled")


@contextmanager
def opened_beside(target: Address, listen: Address) -> Iterator[Listener]:
    """A listener; its file, if any, is for those for whom that of the target is."""
    mode, owner = 0o660, None
    if AddressKind.UNIX is listen.kind is target.kind and os.path.exists(target.path):
        status = os.stat(target.path)
        mode = status.st_mode & 0o777
        owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
    listener = open_listener(listen, socket_mode=mode, socket_owner=owner, tries=1)
    try:
        yield listener
    finally:
        close(listener)


def read_again(options: Namespace, page: Page) -> None:
    """Write what a file has.  CommandError."""
    recording = Recording(options.listen)
    transcripts = Transcripts(
        options.protocol or recording.protocol,
        page,
        began=recording.began,
        with_bytes=options.hex,
    )
    transcripts.finish(recording.replay(transcripts))
    tell(transcripts.summary)


def print_at_once(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(words: str) -> None:
    print(f"{PROG}: {words}", file=sys.stderr)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        PROG,
        usage="%(prog)s [OPTION]... LISTEN TARGET\n       %(prog)s [OPTION]... FILE",
        description="Pass on what a web server says to whatever is behind it, and what "
        "comes back, and print both, decoded; or print what was saved before.  What "
        "cannot be decoded is passed on all the same.",
        epilog=with_examples(
            "Exit status: 0 when it was ended by a signal, or has read the file; 1 "
            "if it cannot listen, read or write; 2 used wrongly.",
            "prefork inspect unix:/run/seen.sock fastcgi+unix:/run/app.sock",
            "prefork inspect --save seen.json 127.0.0.1:9000 127.0.0.1:8000",
            "prefork inspect seen.json",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("listen", metavar="LISTEN", help="where the web server is to connect")
    add("target", metavar="TARGET", nargs="?", help="what it is to reach there")
    add(
        "--protocol",
        metavar="NAME",
        choices=SCRIPTS,
        default="",
        help=f"if no address names it: {CHOICE}; by default auto, by the first byte",
    )
    add("--hex", action="store_true", help="print every byte as well")
    add("--save", metavar="FILE", help="keep everything, to be read again")
    return parser

"""Asks one request for `prefork request`, and yields what both sides say."""

import time
from collections.abc import Iterator
from pathlib import Path

from prefork.cli.pointing import Place
from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import word
from prefork.protocols.watching.cgi import PlainScript
from prefork.protocols.watching.events import (
    Answered,
    Broken,
    Complaint,
    End,
    Event,
    Side,
    Wanted,
)
from prefork.protocols.watching.fields import find
from prefork.protocols.watching.table import watch
from prefork.protocols.watching.variables import describe_request
from prefork.protocols.watching.witness import Witness
from prefork.system.address import Address
from prefork.system.dialogue import Dialogue
from prefork.system.reach import AskedProgram, reach

Told = tuple[Side, list[Event]]


def exchange(place: Place, question: Question, *, within: float) -> Iterator[Told]:
    """Ask; tell until the answer is over, or cannot be understood.

    Unreachable; TimedOut; ValueError if it cannot be put into the protocol.
    """
    until = time.monotonic() + within
    if place.address is not None:
        return ask_server(place.address, question, until=until)
    return ask_program(place.program, question, until=until)


def ask_server(address: Address, question: Question, *, until: float) -> Iterator[Told]:
    """Ask over a connection of its own."""
    wording = word(address.protocol, question)
    first = next(wording)
    witness = watch(address.protocol)
    with reach(address, within=until - time.monotonic()) as connection:
        fd = connection.fileno()
        dialogue = Dialogue(fd, sends=fd, until=until)
        dialogue.say(first)
        is_measured = False  # without a length a reset may have cut the answer off
        yield Side.CLIENT, witness.hear(Side.CLIENT, first)
        for _, data in dialogue.listen():
            events = witness.hear(Side.SERVER, data)
            is_measured |= any(map(tells_length, events))
            if not data and dialogue.was_reset and not is_measured:
                events.append(Broken("the connection was reset"))
            yield Side.SERVER, events
            for event in events:
                if isinstance(event, Wanted):
                    more = wording.send(event.count)
                    dialogue.say(more)
                    yield Side.CLIENT, witness.hear(Side.CLIENT, more)
                elif isinstance(event, End | Broken):
                    return


def tells_length(event: Event) -> bool:
    return isinstance(event, Answered) and find(event.pairs, "content-length") != ""


def ask_program(path: Path, question: Question, *, until: float) -> Iterator[Told]:
    """Ask a program of CGI, which is not left running."""
    variables = question.meta_variables
    witness = Witness(PlainScript(question.method))
    program = AskedProgram(path, {n: v.encode("latin-1") for n, v in variables.items()})
    try:
        dialogue = Dialogue(
            program.output,
            program.errors,
            sends=program.input,
            until=until,
            hang_up=program.end_input,
        )
        dialogue.say(question.body)
        asked = describe_request(1, [*variables.items()])
        yield Side.CLIENT, [asked, *witness.hear(Side.CLIENT, question.body)]
        for fd, data in dialogue.listen():
            if fd == program.output:
                yield Side.SERVER, witness.hear(Side.SERVER, data)
            elif data:
                yield Side.SERVER, [Complaint(1, data)]
    finally:
        program.end()

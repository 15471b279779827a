"""Variables that are looked up by their bytes are those that would be parsed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.known import (
    LONGEST_KNOWN,
    MOST_KNOWN,
    VariablesAndLength,
    VariablesReader,
)
from prefork.protocols.terms import Limits, Terms
from prefork.protocols.variables import Pairs, complete, gather, read_length

DEFAULTS = {"SERVER_NAME": "here", "SERVER_PORT": "80", "SCRIPT_NAME": ""}
TERMS = Terms(defaults=DEFAULTS)
REMOTE = {"REMOTE_ADDR": "192.0.2.9"}


def parse_lines(data: bytes) -> Pairs:
    """A wire of our own: NAME:VALUE, and a line end."""
    if not re.fullmatch(rb"(?:[^:\n]*:[^:\n]*\n)*", data):
        raise ProtocolError("no lines")
    lines = data.decode("latin-1").splitlines()
    return [(line.split(":")[0], line.split(":")[1]) for line in lines]


def wire_of(*pairs: tuple[str, str]) -> bytes:
    return "".join(f"{name}:{value}\n" for name, value in pairs).encode("latin-1")


class Wire:
    """A reader that counts what it has parsed."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.parsed: list[bytes] = []
        self.reader = VariablesReader(self.parse, terms)

    def parse(self, data: bytes) -> Pairs:
        self.parsed.append(data)
        return parse_lines(data)

    def read(self, before: bytes, client: bytes, after: bytes) -> VariablesAndLength:
        return self.reader.read(
            before + client + after,
            len(before),
            len(before) + len(client),
            remote=REMOTE,
            asked={},
        )


def read_plainly(wire: bytes, terms: Terms = TERMS) -> VariablesAndLength:
    variables = gather(parse_lines(wire), terms.limits)
    length = read_length(variables, terms.limits)
    return complete(variables, terms, REMOTE), length


def client(port: int) -> bytes:
    return wire_of(("REMOTE_ADDR", "192.0.2.1"), ("REMOTE_PORT", str(port)))


GET = wire_of(("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/x?y"))
FIELDS = wire_of(("HTTP_HOST", "a.test"), ("CONTENT_LENGTH", "3"))

LINES = st.lists(
    st.tuples(
        st.sampled_from(
            ["A", "REQUEST_METHOD", "HTTP_A", "REMOTE_ADDR", "REMOTE_PORT", "HTTPS", ""]
        ),
        st.sampled_from(["", "GET", "on", "y=z", "a\0b"]),
    )
)


@given(LINES, st.integers(-1, 99), st.integers(-1, 99))
def test_wherever_it_is_cut_the_request_is_the_same(
    pairs: Pairs, start: int, end: int
) -> None:
    wire = wire_of(*pairs)
    reader = VariablesReader(parse_lines, TERMS)
    try:
        expected = read_plainly(wire)
    except ProtocolError as error:
        for _ in range(2):
            with pytest.raises(ProtocolError, match=error.reason):
                reader.read(wire, start, end, remote=REMOTE, asked={})
    else:
        for _ in range(2):
            got = reader.read(wire, start, end, remote=REMOTE, asked={})
            assert got == expected


@given(LINES, LINES)
def test_around_the_client_too(before: Pairs, after: Pairs) -> None:
    wire = Wire()
    parts = wire_of(*before), client(1), wire_of(*after)
    try:
        expected = read_plainly(b"".join(parts))
    except ProtocolError as error:
        for _ in range(2):
            with pytest.raises(ProtocolError, match=error.reason):
                wire.read(*parts)
    else:
        for _ in range(2):
            assert wire.read(*parts) == expected


def test_of_another_client_only_the_client_is_parsed() -> None:
    wire = Wire()
    for port in (1, 2):
        variables, length = wire.read(GET, client(port), FIELDS)
        assert (variables["REMOTE_PORT"], length) == (str(port), 3)
        assert variables == read_plainly(GET + client(port) + FIELDS)[0]
        variables.clear()  # it is the request's own
    assert wire.parsed == [client(1), GET, FIELDS, client(2)]


def test_a_client_that_is_named_once_more_is_believed() -> None:
    """nginx appends what its configuration overrides: the last one wins."""
    again = wire_of(("REMOTE_ADDR", "192.0.2.77"))
    wire = Wire()
    for _ in range(2):
        variables, _ = wire.read(GET, client(1), FIELDS + again)
        assert variables["REMOTE_ADDR"] == "192.0.2.77"


def test_the_limit_is_one_for_all_of_them() -> None:
    limits = Limits(variables=5)
    wire = Wire(Terms(limits=limits, defaults=DEFAULTS))
    with pytest.raises(ProtocolError, match="too many variables"):
        wire.read(GET, client(1), FIELDS)


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire()
    for n in range(MOST_KNOWN + 10):
        wire.read(GET + wire_of(("A", str(n))), client(1), FIELDS)
    wire.read(GET + wire_of(("A", "x" * LONGEST_KNOWN)), client(1), FIELDS)
    assert 0 < len(wire.reader._known) <= MOST_KNOWN
    assert all(len(a) + len(b) <= LONGEST_KNOWN for a, b in wire.reader._known)


def test_what_was_asked_is_told_when_it_is_refused() -> None:
    asked: dict[str, str] = {}
    bad = wire_of(("REQUEST_URI", "/x"), ("CONTENT_LENGTH", "many"))
    with pytest.raises(ProtocolError, match="CONTENT_LENGTH"):
        VariablesReader(parse_lines, TERMS).read(
            bad, -1, -1, remote=REMOTE, asked=asked
        )
    assert asked["REQUEST_URI"] == "/x"

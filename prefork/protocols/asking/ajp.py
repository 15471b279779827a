"""A question as AJP13 has it: a packet, then the body as it is asked for."""

from prefork.protocols import ajp_packets as wire
from prefork.protocols.asking.plain import Wording
from prefork.protocols.asking.question import Pairs, Question

METHOD_CODES = {name: code for code, name in wire.METHODS.items()}
HEADER_CODES = {name.lower(): code for code, name in wire.REQUEST_HEADERS.items()}
ATTRIBUTE_CODES = {name: code for code, name in wire.ATTRIBUTES.items()}
END = bytes([wire.NO_MORE])
# Variables that have a place of their own in the packet.
PLACED = {
    "HTTPS",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
}


def ask_ajp(question: Question) -> Wording:
    """The request with the beginning of its body, then what is asked for.

    ValueError if it does not fit into a packet.
    """
    payload = format_forward_request(question)
    if len(payload) > wire.LONGEST_PAYLOAD:
        raise ValueError(
            f"{len(payload)} bytes of a request, and AJP has room for "
            f"{wire.LONGEST_PAYLOAD}"
        )
    packet = wire.format_packet(wire.TO_CONTAINER, payload)
    at = wire.MOST_BODY
    first = question.body[:at]
    # A body in chunks, whose length is not told, waits until it is asked for.
    if not first or not any(name == "Content-Length" for name, _ in question.fields):
        at, first = 0, b""
    wanted = yield packet + (wire.format_body(first) if first else b"")
    while True:
        size = min(wanted, wire.MOST_BODY)
        wanted = yield wire.format_body(question.body[at : at + size])
        at += size


def format_forward_request(question: Question) -> bytes:
    """The payload of the packet that begins a request."""
    path, _, query = question.target.partition("?")
    variables = question.meta_variables
    code = METHOD_CODES.get(question.method, wire.STORED_METHOD)
    texts = (
        variables["SERVER_PROTOCOL"],
        path,
        variables["REMOTE_ADDR"],
        variables.get("REMOTE_HOST", ""),
        variables["SERVER_NAME"],
    )
    return b"".join(
        (
            bytes((wire.FORWARD_REQUEST, code)),
            *map(format_text, texts),
            wire.NUMBER.pack(int(variables["SERVER_PORT"])),
            bytes([variables.get("HTTPS", "") == "on"]),
            format_headers(question.fields),
            *format_attributes(question, code, query),
            END,
        )
    )


def format_headers(fields: Pairs) -> bytes:
    """How many there are, then their names (or codes) and values."""
    parts = [wire.NUMBER.pack(len(fields))]
    for name, value in fields:
        code = HEADER_CODES.get(name.lower())
        coded = bytes((wire.CODED_HEADER, code)) if code else format_text(name)
        parts += (coded, format_text(value))
    return b"".join(parts)


def format_attributes(question: Question, code: int, query: str) -> list[bytes]:
    """What has no place before the headers; `code` is that of the method."""
    known = {
        "query_string": query,
        "secret": question.secret,
        "stored_method": question.method if code == wire.STORED_METHOD else "",
    }
    said = {name: value for name, value in known.items() if value}
    said |= {n: v for n, v in question.variables.items() if n not in PLACED}
    # Web servers always say it; but for lighttpd, which sends the path decoded.
    said["AJP_REMOTE_PORT"] = said.pop("REMOTE_PORT", "0")
    return [format_attribute(name, value) for name, value in said.items()]


def format_attribute(name: str, value: str) -> bytes:
    """A coded one, such as remote_user, or a "request attribute" of any name."""
    code = ATTRIBUTE_CODES.get(name.lower())
    if code:
        return bytes([code]) + format_text(value)
    return bytes([wire.REQUEST_ATTRIBUTE]) + format_text(name) + format_text(value)


def format_text(text: str) -> bytes:
    return wire.format_string(text.encode("latin-1"))

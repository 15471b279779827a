"""A question in the words of HTTP, FastCGI, SCGI and uwsgi.

All of it is sent at once.  AJP, where the server asks for the body, has a file of its
own.
"""

from collections.abc import Generator

from prefork.protocols import fastcgi_records as fastcgi
from prefork.protocols.asking.question import Question

# What is sent first; then, whenever the server asks for so many bytes more of the
# body, what it gets.
Wording = Generator[bytes, int, None]

ONLY_REQUEST = 1  # its id
LONGEST_PACKET = 0xFFFF  # bytes of the variables of uwsgi


def ask_http(question: Question) -> Wording:
    """As a request of HTTP/1.1, the only one of its connection."""
    lines = [f"{question.method} {question.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in question.fields]
    if not any(name.lower() == "connection" for name, _ in question.headers):
        lines.append("Connection: close")
    yield "\r\n".join([*lines, "", ""]).encode("latin-1") + question.body


def ask_fastcgi(question: Question) -> Wording:
    """As a request to a responder, which is to close the connection then."""
    variables = fastcgi.format_pairs(list(question.meta_variables.items()))
    yield b"".join(
        (
            fastcgi.format_begin(ONLY_REQUEST),
            fastcgi.format_stream(fastcgi.PARAMS, ONLY_REQUEST, variables),
            fastcgi.format_record(fastcgi.PARAMS, ONLY_REQUEST),
            fastcgi.format_stream(fastcgi.STDIN, ONLY_REQUEST, question.body),
            fastcgi.format_record(fastcgi.STDIN, ONLY_REQUEST),
        )
    )


def ask_scgi(question: Question) -> Wording:
    """As a netstring, in which CONTENT_LENGTH has to come first."""
    variables = {"CONTENT_LENGTH": "0", "SCGI": "1"} | question.meta_variables
    text = "".join(f"{name}\0{value}\0" for name, value in variables.items())
    yield b"%d:%b," % (len(text), text.encode("latin-1")) + question.body


def ask_uwsgi(question: Question) -> Wording:
    """As a packet for WSGI (0); ValueError if the variables do not fit."""
    texts = [text for pair in question.meta_variables.items() for text in pair]
    size = sum(2 + len(text) for text in texts)
    if size > LONGEST_PACKET:
        raise ValueError(
            f"{size} bytes of variables, and uwsgi has room for {LONGEST_PACKET}"
        )
    packet = b"".join(format_text(text) for text in texts)
    yield b"\0%b\0%b%b" % (size.to_bytes(2, "little"), packet, question.body)


def format_text(text: str) -> bytes:
    return len(text).to_bytes(2, "little") + text.encode("latin-1")

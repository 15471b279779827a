"""Turns the arguments of `prefork request` into a place and a question."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from prefork.cli.pointing import PROTOCOLS, Place, parse_place, parse_target
from prefork.protocols.asking.question import Pairs, Question, is_within
from prefork.protocols.path import decode_percent, encode_path

FORM = "application/x-www-form-urlencoded"
SECRET = "PREFORK_AJP_SECRET"


def add_arguments(parser: ArgumentParser) -> None:
    """Let the command line say what is asked, and of whom."""
    add = parser.add_argument
    add("address", metavar="ADDRESS", help="a URL, or [PROTOCOL+]unix:SOCKET")
    add("path", metavar="PATH", nargs="?", help="with its query, if not in the URL")
    protocols = ", ".join(PROTOCOLS)
    add(
        "--protocol",
        metavar="NAME",
        choices=PROTOCOLS,
        help=f"if the address names none: {protocols}",
    )
    add("-X", "--request", metavar="METHOD", help="default: GET, or POST with -d")
    add("-H", "--header", metavar="'NAME: VALUE'", action="append", default=[])
    add("-d", "--data", metavar="DATA", help="the body; @FILE, or @- for stdin")
    add(
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable beside the usual ones, or instead of one",
    )
    add(
        "--script-name",
        metavar="PREFIX",
        default="",
        help="the part of the path that is SCRIPT_NAME",
    )
    add(
        "--script",
        metavar="FILE",
        help="for php-fpm and fcgiwrap: the file that is to answer",
    )
    add("--secret", metavar="SECRET", help=f"of AJP; default: ${SECRET}")


def read_arguments(options: Namespace) -> tuple[Place, Question]:
    """The place and the question; ValueError, or OSError, says what is wrong."""
    place, target = parse_place(options.address, options.protocol)
    check(options, place, target)
    headers = [parse_header(text) for text in options.header]
    body = b"" if options.data is None else read_data(options.data)
    if body and not has(headers, "content-type"):
        headers.append(("Content-Type", FORM))
    prefix, variables = options.script_name, {}
    name = decode_percent(to_latin(prefix))
    script = place.program if place.address is None else options.script
    if script:
        path = Path(script).absolute()
        name, variables = name or to_latin(f"/{path.name}"), describe_script(path)
    target = parse_target(target or options.path or prefix or encode_path(name) or "/")
    if prefix and not is_within(decode_percent(target.partition("?")[0]), name):
        target = parse_target(prefix) + target
    return place, Question(
        method=options.request or ("GET" if options.data is None else "POST"),
        target=target,
        host=place.host,
        headers=headers,
        body=body,
        script_name=name,
        variables=variables | dict(map(parse_param, options.param)),
        secret=options.secret or os.environ.get(SECRET, ""),
    )


def check(options: Namespace, place: Place, target: str) -> None:
    """Nothing is ignored: what this protocol has no place for is a mistake."""
    if target and options.path:
        raise ValueError("a path in the URL, and another one behind it")
    if (options.param or options.script) and place.protocol == "http":
        raise ValueError("--param, --script: HTTP carries no variables")
    if options.script and place.address is None:
        raise ValueError("--script: a program is its own script")
    if options.secret and place.protocol != "ajp":
        raise ValueError("--secret: only AJP has one")


def describe_script(path: Path) -> dict[str, str]:
    """What php-fpm, php-cgi and fcgiwrap want to know of a file."""
    return {
        "SCRIPT_FILENAME": to_latin(str(path)),
        "DOCUMENT_ROOT": to_latin(str(path.parent)),
        "REDIRECT_STATUS": "200",  # php-cgi answers nothing without it
    }


def parse_header(text: str) -> tuple[str, str]:
    name, colon, value = to_latin(text).partition(":")
    if not colon or not name.strip() or set("\r\n") & set(text):
        raise ValueError(f"-H {text!r} is not NAME: VALUE")
    return name, value.strip()


def parse_param(text: str) -> tuple[str, str]:
    name, sign, value = to_latin(text).partition("=")
    if not sign or not name:
        raise ValueError(f"--param {text!r} is not NAME=VALUE")
    return name, value


def read_data(text: str) -> bytes:
    """The body: itself, or what a file or stdin holds."""
    if text == "@-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise ValueError(f"--data {text}: {error.strerror}") from error
    return os.fsencode(text)


def has(headers: Pairs, wanted: str) -> bool:
    return any(name.lower() == wanted for name, _ in headers)


def to_latin(text: str) -> str:
    """An argument as the bytes that it came in, each of them one character."""
    return os.fsencode(text).decode("latin-1")

"""The requests that real web servers sent, and what their clients had asked.

To add some, put files into tests/captures (its README explains the names).
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "captures"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked its web server: `target` is without the mount point."""

    method: str
    target: str
    body: bytes = b""


FORM = b"name=J%C3%B6rg&msg=hello+world"
CHUNKS = b"first chunk," + b"second " * 200 + b"last"
ODD_PATH = "/sub/path%20with/inf%C3%B6//x%2Fy/../z?x=1&y=a%20b+c"
ASKED = {
    "body-slow": Asked("POST", "/bslow", b"firstsecond"),
    "chunked": Asked("POST", "/chunked", CHUNKS),
    "chunked-slow": Asked("POST", "/chslow", b"firstsecond"),
    "client-abort": Asked("GET", "/abort"),
    "client-abort-midbody": Asked("POST", "/abortbody", b"x" * 300_000),
    "expect": Asked("POST", "/exp", FORM),
    "get": Asked("GET", ODD_PATH),
    "head": Asked("HEAD", "/head"),
    "http10": Asked("GET", "/h10"),
    "manyheaders": Asked("GET", "/many"),
    "oddheaders": Asked("PROPFIND", "/odd;p=1?a;b"),
    "post": Asked("POST", "/form", FORM),
}


@dataclass(frozen=True, slots=True)
class Capture:
    """One connection: what a web server sent on it."""

    name: str
    server: str
    protocol: str
    variant: str  # of its configuration; "" for the usual one
    is_tcp: bool
    case: str  # of ASKED; or "" for a special one, which is the variant then
    data: bytes


def captures_of(*protocols: str) -> list[Capture]:
    """All captures of some protocols, in the order of their names."""
    return [
        capture
        for path in sorted(FOLDER.glob("*.bin"))
        if (capture := read_capture(path)).protocol in protocols
    ]


def read_capture(path: Path) -> Capture:
    server, protocol, rest = path.stem.split("-", 2)
    case = next((case for case in ASKED if f"-{rest}".endswith(f"-{case}")), "")
    variant = rest.removesuffix(case).removesuffix("-")
    is_tcp = variant.split("-")[-1] == "tcp"
    variant = variant.removesuffix("tcp").removesuffix("-")
    data = path.read_bytes()
    return Capture(path.stem, server, protocol, variant, is_tcp, case, data)

"""Exposure: who can connect, where a protocol believes whoever does.

In FastCGI, SCGI, uwsgi and AJP the peer says who its client is, who has logged in,
and that it was https.  So a web server must be the only one that can connect.
"""

import socket

from prefork.errors import ConfigError
from prefork.protocols.table import FOR_STRANGERS

GUESSING = "auto"
REFUSAL = (
    f"{GUESSING} is for this machine only, since most of what it tells apart believes "
    "whoever connects (bind unix:PATH or 127.0.0.1, or name the protocol)"
)
PROVING = "ajp"  # whose peers can prove by a secret who they are
NO_SECRET = (
    "it would believe whoever can connect "
    "(set ajp_secret, or bind unix:PATH or 127.0.0.1)"
)
ADVICE = "bind unix:PATH or 127.0.0.1, or let a firewall admit the web server alone"


def is_loopback(host: str) -> bool:
    """Is that an address (or the name) of the machine to itself?

    Any other name may lead anywhere.
    """
    is_name = not host.replace(".", "").isdigit()
    return host in ("localhost", "::1") or (host.startswith("127.") and not is_name)


def is_exposed(sock: socket.socket) -> bool:
    """Can somebody on another machine connect?"""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return not is_loopback(sock.getsockname()[0])


def find_risk(protocol: str, sock: socket.socket) -> str:
    """What is to be said against it; "" if nothing is."""
    if protocol in FOR_STRANGERS or protocol == PROVING or not is_exposed(sock):
        return ""
    return f"{protocol} believes whoever can connect"


def check_exposure(protocol: str, sock: socket.socket, secret: str) -> None:
    """ConfigError where a secret is needed and missing, or should not be guessed."""
    reasons = {PROVING: "" if secret else NO_SECRET, GUESSING: REFUSAL}
    reason = reasons.get(protocol)
    if reason and is_exposed(sock):
        host, port = sock.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        raise ConfigError(f"cannot listen on {protocol}://{host}:{port}: {reason}")

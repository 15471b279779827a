"""When an answer may begin while the body of its request is still on the way.

nginx sends no more of a body once the answer has begun, and what the application still
waits for never comes.  Nothing says for sure that it is nginx, so the answer begins
where it cannot be, and is held back where it may be.  The figure is a lull: seconds in
which nothing more of the body has arrived.
"""

import re
from collections.abc import Mapping

from prefork.protocols.forwarded import FORWARDED

AT_ONCE, IN_A_PAUSE, NEVER = 0.0, 0.2, float("inf")
# Those that send and read at the same time, as seen; lighttpd and Caddy have sent
# everything before they read, and lose nothing by waiting.
SENDS_ON = re.compile("(Apache|HAProxy)\\b")
OF_PROXIES = {*FORWARDED, "HTTP_VIA", "HTTP_X_REAL_IP"}


def find_lull(variables: Mapping[str, str]) -> float:
    """The lull before an answer to a web server, which SERVER_SOFTWARE names."""
    is_known = SENDS_ON.match(variables.get("SERVER_SOFTWARE", ""))
    return AT_ONCE if is_known else NEVER


def find_lull_of_http(variables: Mapping[str, str]) -> float:
    """The lull before an answer in HTTP, where a proxy need not say that it is one.

    With `Expect` it is not nginx, which removes that.  And nginx sends a body that it
    has buffered without a pause: who makes one is a client that waits for the answer.
    """
    if variables["SERVER_PROTOCOL"] != "HTTP/1.1":
        return NEVER
    if "HTTP_EXPECT" in variables:
        return AT_ONCE
    is_unix = not variables["REMOTE_ADDR"]
    return NEVER if is_unix or is_by_proxy(variables) else IN_A_PAUSE


def is_by_proxy(variables: Mapping[str, str]) -> bool:
    """Does it say for whom it asks?  (If it is not trusted, that is removed by now.)"""
    return not variables.keys().isdisjoint(OF_PROXIES)

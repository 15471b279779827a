"""CGI (RFC 3875) as it comes in: one request, in a process's environment."""

from collections.abc import Mapping

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer, format_refusal
from prefork.protocols.request import Request
from prefork.protocols.terms import Terms
from prefork.protocols.variables import complete, read_length

REMOTE = {"REMOTE_ADDR": ""}  # of a web server that does not name its client


def read_request(
    environment: Mapping[bytes, bytes], terms: Terms
) -> tuple[Request, int | None]:
    """The request, and how long its body is; None: until the end.  ProtocolError.

    All of the environment becomes variables.  What belongs to the request cannot be
    told from the rest: Apache's SetEnv, and modules such as mod_ssl, add any name.
    The rest, PATH and its like, is no secret from an application that runs in it.
    """
    variables = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in environment.items()
    }
    # RFC 3875 4.1.5: PATH_INFO is what follows the script; without it, nothing does,
    # whereas by other protocols SCRIPT_NAME might be all of the path.
    variables.setdefault("PATH_INFO", "")
    # Of a chunked body Apache does not say the length, and closes stdin after it.
    is_streamed = "HTTP_TRANSFER_ENCODING" in variables
    length = read_length(variables, terms.limits)
    variables = complete(variables, terms, REMOTE)
    request = Request(variables, body=None, rest=b"", keep_alive=False)
    return request, length if length is not None or is_streamed else 0


def answer(request: Request) -> CgiAnswer:
    """What words the answer: the web server adds a Date, and frames it."""
    return CgiAnswer(request, keep_alive=False)


def refuse(error: ProtocolError) -> bytes:
    """The whole answer to a request that was refused."""
    return format_refusal("Status: ", error)

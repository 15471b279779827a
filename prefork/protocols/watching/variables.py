"""What the variables of a request say it asks for."""

from prefork.errors import ProtocolError
from prefork.protocols.watching.events import Asked

MOST_VARIABLES = 5000


def describe_request(number: int, variables: list[tuple[str, str]]) -> Asked:
    """The head of a request that came as variables, with a line as HTTP has it.

    Of a name that is repeated the last counts, as in most servers.  ProtocolError
    if there are more than anybody could want to read.
    """
    if len(variables) > MOST_VARIABLES:
        raise ProtocolError(f"more than {MOST_VARIABLES} variables")
    known = dict(variables)
    path = known.get("SCRIPT_NAME", "") + known.get("PATH_INFO", "")
    query = known.get("QUERY_STRING", "")
    target = known.get("REQUEST_URI") or path + ("?" + query if query else "")
    words = (known.get("REQUEST_METHOD"), target, known.get("SERVER_PROTOCOL"))
    return Asked(number, " ".join(filter(None, words)), tuple(variables))


def method_of(asked: Asked) -> str:
    return dict(asked.pairs).get("REQUEST_METHOD", "")

"""Everything prefork raises on purpose.

PreforkError
 ├─ ConfigError        a setting is wrong: which one, where, what was meant    exit 78
 ├─ SystemRefusal      the system said no: bind, privileges, pid file          exit  1
 ├─ ApplicationError   the application cannot be loaded                        exit 70
 ├─ CommandError       what an operator asked for cannot be done               exit  1
 │   └─ SeenEnough     nobody reads on what it tells                           exit  0
 ├─ Unreachable        nobody answers at an address                            exit  7
 ├─ TimedOut           somebody does, but not in time                          exit 28
 ├─ ProtocolError      the peer broke the protocol: a status for the answer
 └─ ClientGone         the peer left, or was too slow, in the middle of a body
     └─ RequestAborted it has said that it wants no answer, and stays
"""

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_APPLICATION = 70
EXIT_CUT = 75
EXIT_CONFIG = 78

# Of `prefork request`; curl has the same for the same.
EXIT_UNREACHABLE = 7
EXIT_TIMED_OUT = 28

# Of a command that ^C has ended: 128 + SIGINT, as a shell has it.
EXIT_INTERRUPTED = 130

EXIT_MEANINGS = {
    EXIT_OK: "stopped, everything answered",
    EXIT_REFUSED: "cannot bind, or another refusal by the system",
    EXIT_USAGE: "used wrongly",
    EXIT_APPLICATION: "the application failed to load at start",
    EXIT_CUT: "stopped, but requests were cut (the log says how many)",
    EXIT_CONFIG: "bad configuration",
}


class PreforkError(Exception):
    """The root of the tree; its text is a whole sentence for an operator."""

    exit_status = EXIT_REFUSED


class ConfigError(PreforkError):
    """A setting is wrong; the text names the setting and where it was read."""

    exit_status = EXIT_CONFIG


class SystemRefusal(PreforkError):
    """The system refused something that prefork cannot run without."""

    exit_status = EXIT_REFUSED


class ApplicationError(PreforkError):
    """The application cannot be loaded; the text is the traceback, or one line."""

    exit_status = EXIT_APPLICATION


class CommandError(PreforkError):
    """An operator asked a running server for what it cannot do, or there is none."""

    exit_status = EXIT_REFUSED


class SeenEnough(CommandError):
    """Whoever reads what a command prints has left, as in `prefork check | head`."""

    exit_status = EXIT_OK


class Unreachable(PreforkError):
    """There is nobody at an address, or a program cannot be started."""

    exit_status = EXIT_UNREACHABLE


class TimedOut(PreforkError):
    """Whoever was asked has not answered in time."""

    exit_status = EXIT_TIMED_OUT


class ProtocolError(PreforkError):
    """The peer broke the protocol; `status` is the HTTP status that says so."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class ClientGone(PreforkError, ConnectionError):
    """The client left, or broke the protocol, in the middle of its request.

    An OSError for the application, which may be reading the body: `status` is
    what to answer if there is still someone to hear it.
    """

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class RequestAborted(ClientGone):
    """The front end has said, in its protocol, that nobody wants the answer.

    Its connection may carry other requests.
    """

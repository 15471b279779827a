"""The life of a worker, as the master sees it.

    ORDERED ─ registered ─► BOOTING ─ ready ─► SERVING ─ retire ─► RETIRING
    BOOTING, SETTLING, SERVING, RETIRING ─ overdue ─► ABORTED ─ overdue ─► KILLED
    BOOTING ─ settling ─► SETTLING ─ ready ─► SERVING     (it keeps a program)
    ORDERED, BOOTING ─ retire ─► KILLED;  SETTLING ─ retire ─► RETIRING
    ORDERED ─ overdue ─► KILLED
    BOOTING, SETTLING, SERVING ─ leaving ─► RETIRING      (somebody sent it a TERM)

and from every state, when its process has exited, to GONE.  A key that is missing
from the table is an error in the master.
"""

from enum import Enum, auto


class State(Enum):
    ORDERED = auto()  # the template was asked to fork it
    BOOTING = auto()  # it exists, and has registered
    SETTLING = auto()  # its program accepts, and has yet to show that it stays
    SERVING = auto()  # it has reported ready
    RETIRING = auto()  # it was told to finish and leave
    ABORTED = auto()  # it was sent ABRT, which dumps its stacks
    KILLED = auto()  # it was sent KILL
    GONE = auto()


class Event(Enum):
    REGISTERED = auto()
    SETTLING = auto()  # its program runs
    READY = auto()
    RETIRE = auto()  # it is not needed any more
    LEAVING = auto()  # it retires, and not by our order
    OVERDUE = auto()  # its deadline, or that of its request, has passed
    EXITED = auto()


class Action(Enum):
    NOTHING = auto()
    ANNOUNCE = auto()  # it serves from now on
    TELL = auto()  # send it the order to retire
    ABORT = auto()
    KILL = auto()


S, E, A = State, Event, Action

_KILLED = (S.KILLED, A.KILL)
_ABORTED = (S.ABORTED, A.ABORT)
_GONE = (S.GONE, A.NOTHING)  # the roster has forgotten it by itself

TRANSITIONS: dict[State, dict[Event, tuple[State, Action]]] = {
    S.ORDERED: {
        E.REGISTERED: (S.BOOTING, A.NOTHING),
        E.RETIRE: _KILLED,  # it has no client yet, so there is nothing to finish
        E.OVERDUE: _KILLED,
        E.EXITED: _GONE,
    },
    S.BOOTING: {
        E.SETTLING: (S.SETTLING, A.NOTHING),
        E.READY: (S.SERVING, A.ANNOUNCE),
        E.RETIRE: _KILLED,
        E.LEAVING: (S.RETIRING, A.NOTHING),
        E.OVERDUE: _ABORTED,
        E.EXITED: _GONE,
    },
    S.SETTLING: {
        E.READY: (S.SERVING, A.ANNOUNCE),
        E.RETIRE: (S.RETIRING, A.TELL),
        E.LEAVING: (S.RETIRING, A.NOTHING),
        E.OVERDUE: _ABORTED,
        E.EXITED: _GONE,
    },
    S.SERVING: {
        E.RETIRE: (S.RETIRING, A.TELL),
        E.LEAVING: (S.RETIRING, A.NOTHING),
        E.OVERDUE: _ABORTED,
        E.EXITED: _GONE,
    },
    S.RETIRING: {
        E.READY: (S.RETIRING, A.NOTHING),  # said before it heard that it was to go
        E.RETIRE: (S.RETIRING, A.TELL),  # again: at stop it also drains the queue
        E.LEAVING: (S.RETIRING, A.NOTHING),
        E.OVERDUE: _ABORTED,
        E.EXITED: _GONE,
    },
    S.ABORTED: {
        E.REGISTERED: (S.ABORTED, A.NOTHING),
        E.SETTLING: (S.ABORTED, A.NOTHING),
        E.READY: (S.ABORTED, A.NOTHING),  # too late: the signal is on its way
        E.RETIRE: (S.ABORTED, A.NOTHING),
        E.LEAVING: (S.ABORTED, A.NOTHING),
        E.OVERDUE: _KILLED,
        E.EXITED: _GONE,
    },
    S.KILLED: {
        E.REGISTERED: _KILLED,  # when it was to be killed its pid was not known
        E.SETTLING: (S.KILLED, A.NOTHING),
        E.READY: (S.KILLED, A.NOTHING),
        E.RETIRE: (S.KILLED, A.NOTHING),
        E.LEAVING: (S.KILLED, A.NOTHING),
        E.OVERDUE: _KILLED,
        E.EXITED: _GONE,
    },
    S.GONE: {},
}

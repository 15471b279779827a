"""How a worker ended, and whether it was to."""

from dataclasses import dataclass

from prefork.master.roster import Member
from prefork.master.states import State
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import SECOND, Tenant

OUT_OF_MEMORY = "killed by the kernel: out of memory (cgroup)"
WELL = "exit code 0"
OVERDUE_REQUEST = "request over its"
TOO_LATE, AT_ONCE = "over its graceful timeout", "stopped at once"
DAEMON = "(a program that goes into the background cannot be kept)"
# What a process brings upon itself: signal(7), "Standard signals", Core.  Sent by
# someone else it looks the same.
FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The end of one worker; `state` is the one it died in."""

    member: Member
    tenant: Tenant  # what its slot in the scoreboard says
    state: State
    how: str  # "exit code 3", "SIGKILL"; or why there was no process
    now: float  # monotonic seconds

    @property
    def is_blamed(self) -> bool:
        """Did it die before its time?  Not if it had retired, or was not needed."""
        if self.state is State.RETIRING:
            return self.how != WELL
        if self.state is State.KILLED:
            return bool(self.member.killed_because)
        return True

    @property
    def is_failure(self) -> bool:
        """Does it tell something of the code, or of a request?  Not if it was told to
        leave, and there was no more time for what it served."""
        return self.is_blamed and self.member.killed_because not in (TOO_LATE, AT_ONCE)

    @property
    def was_overdue(self) -> bool:
        """Was it killed because its request was over its deadline?"""
        return self.member.killed_because.startswith(OVERDUE_REQUEST)

    @property
    def is_proven(self) -> bool:
        requests = self.tenant.requests
        return self.member.is_proven(requests=requests, now=self.now)

    @property
    def cause(self) -> str:
        """`killed by prefork: …` for what we did; else what the kernel says."""
        if self.member.killed_because:
            return f"killed by prefork: {self.member.killed_because}"
        if self.how in FAULTS:
            return f"crashed: {self.how}"
        if self.tenant.is_keeper and self.how == WELL:
            return f"{WELL} too early {DAEMON}"
        return f"{self.how} from outside" if "SIG" in self.how else self.how

    @property
    def unanswered(self) -> int:
        """Requests that it took with it."""
        return int(self.tenant.is_busy) + self.tenant.draining

    @property
    def request_seconds(self) -> float:
        """How long the request had run that it was serving."""
        return max(0.0, self.now - self.tenant.started / SECOND)

    def log(self, log: Log) -> None:
        """One line: who, how, after how long and how much, and during what."""
        fields: dict[str, object] = {
            **self.member.name,
            "uptime": round(self.now - self.member.ordered_at, 1),
        }
        if not self.tenant.is_keeper:
            fields["requests"] = self.tenant.requests
        if not self.is_blamed:
            log.info("retired worker", **fields)
            return
        if self.tenant.is_busy:
            fields |= self.tenant.serving
            fields["request_seconds"] = round(self.request_seconds, 3)
        log.error("lost worker", cause=self.cause, **fields)

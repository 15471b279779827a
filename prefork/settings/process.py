"""Programs, what the processes are like, and their logs."""

from dataclasses import dataclass

from prefork.settings.field import setting
from prefork.settings.gateways import CGI, EXEC, SERVING
from prefork.settings.kinds import (
    OCTAL,
    PATHS,
    SECONDS,
    SIZE,
    SWITCH,
    TEXT,
    choice,
    or_word,
    whole,
)
from prefork.settings.resources import CPUS, RLIMITS

# Apache's "combined" log format.
COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A part of `Settings`; times are in seconds, sizes in bytes."""

    wrap: bool = setting(
        False,
        "--wrap",
        "",
        "run what the web server names",
        SWITCH,
        only=CGI,
    )
    allow: tuple[str, ...] = setting(
        (),
        "-p --allow",
        "PATH",
        "where programs may be; repeatable",
        PATHS,
        only=CGI,
    )
    cgi_timeout: float = setting(
        60.0,
        "--cgi-timeout",
        "SECONDS",
        "of silence that end a program; 0: never",
        SECONDS,
        only=CGI,
    )
    cgi_cpu: int = setting(
        0,
        "--cgi-cpu",
        "SECONDS",
        "of processor time for a program; 0: any",
        whole(0),
        only=CGI,
    )
    cgi_memory: int = setting(
        0,
        "--cgi-memory",
        "SIZE",
        "of address space for a program; 0: any",
        SIZE,
        only=CGI,
    )
    cgi_nproc: int = setting(
        0,
        "--cgi-nproc",
        "N",
        "processes that its user may have; 0: any",
        whole(0),
        only=CGI,
    )

    settle: float = setting(
        1.0,
        "--settle",
        "SECONDS",
        "that a copy runs until it counts",
        SECONDS,
        only=EXEC,
    )
    retire_signal: str = setting(
        "USR1",
        "--retire-signal",
        "NAME",
        "that asks a copy to finish and leave",
        choice("USR1", "TERM", "QUIT", "INT", "HUP", "USR2", "WINCH"),
        only=EXEC,
    )

    user: str = setting("", "-u --user", "USER", "user that workers run as", TEXT)
    group: str = setting("", "-g --group", "GROUP", "group that workers run as", TEXT)
    initgroups: bool = setting(
        True, "--initgroups", "", "and in the user's other groups", SWITCH
    )
    umask: int | None = setting(
        None,
        "-m --umask",
        "MODE",
        "mode bits that new files lack",
        or_word("unchanged", OCTAL),
    )
    nice: int | None = setting(
        None,
        "--nice",
        "N",
        "niceness of workers, -20 to 19",
        or_word("unchanged", whole(-20, 19)),
    )
    cpu_affinity: str = setting(
        "",
        "--cpu-affinity",
        "CPUS",
        "a processor for each worker: auto, or 0-3,6",
        CPUS,
    )
    rlimit: tuple[str, ...] = setting(
        (), "--rlimit", "NAME=VALUE", "limit of workers; repeatable", RLIMITS
    )
    daemon: bool = setting(
        False, "-D --daemon", "", "leave the terminal once ready", SWITCH
    )
    pid: str = setting(
        "", "-p --pid", "FILE", "write the pid of the master there", TEXT
    )
    control: str = setting(
        "auto",
        "--control",
        "PATH",
        "where commands connect; or none",
        TEXT,
        shown="@prefork/PID",
    )
    name: str = setting("", "-n --name", "NAME", "what process titles say", TEXT)

    access_logfile: str = setting(
        "",
        "--access-logfile",
        "FILE",
        "a path, - for stdout, or syslog",
        TEXT,
        shown="off",
        only=SERVING,
    )
    access_logformat: str = setting(
        COMBINED,
        "--access-logformat",
        "FORMAT",
        "of a line in it",
        TEXT,
        shown="combined",
        only=SERVING,
    )
    error_logfile: str = setting(
        "-", "--error-logfile --log-file", "FILE", "everything else; - for stderr", TEXT
    )
    frontend_errors: bool = setting(
        False,
        "--frontend-errors",
        "",
        "wsgi.errors, to the web server's log too",
        SWITCH,
        only=SERVING,
    )
    log_level: str = setting(
        "info",
        "--log-level",
        "LEVEL",
        "debug, info, warning, error, critical",
        choice(*LEVELS),
    )
    log_format: str = setting(
        "text", "--log-format", "FORMAT", "text or json", choice("text", "json")
    )

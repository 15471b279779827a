"""Every setting, once: name, default, flags, help, and what it accepts.

To add a setting, add a field to `Settings`.  The command line, the environment,
the configuration file, `--help`, `prefork check` and both man pages follow.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from prefork.settings.kinds import (
    ADDRESSES,
    COUNTS,
    GLOBS,
    ITEMS,
    NETWORKS,
    OCTAL,
    PAIRS,
    SECONDS,
    SIZE,
    SOME_SECONDS,
    SWITCH,
    TEXT,
    URL_PATH,
    Kind,
    choice,
    or_word,
    whole,
)
from prefork.settings.resources import CPUS, RLIMITS
from prefork.settings.scale import MOST, SCALE, Scale

T = TypeVar("T")

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
LEVELS = ("debug", "info", "warning", "error", "critical")

GROUPS = {  # the setting that begins a group: the name of the group
    "app": "Application",
    "bind": "Listening",
    "workers": "Workers",
    "timeout": "Deadlines, in seconds",
    "max_requests": "Recycling: a worker is replaced",
    "lobby_size": "Clients",
    "user": "Process",
    "access_logfile": "Logs",
}

# What the master does once, when it starts: a reload cannot change it.
FIXED = ("daemon", "pid", "control", "error_logfile")


def setting(
    default: T, flags: str, metavar: str, help: str, kind: Kind[T], *, shown: str = ""
) -> T:
    """Describe one field of `Settings`.

    `flags` are separated by spaces; of the long ones the first gives the setting its
    name in messages.  `shown` is the default as help words it.
    """
    metadata = {"flags": tuple(flags.split()), "metavar": metavar, "help": help}
    return field(default=default, metadata=metadata | {"kind": kind, "shown": shown})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The value of every setting; times are in seconds, sizes in bytes."""

    app: str = setting(
        "", "", "MODULE:CALLABLE", "the application, such as app:wsgi", TEXT
    )
    chdir: str = setting("", "--chdir", "DIR", "change to it before importing", TEXT)
    pythonpath: tuple[str, ...] = setting(
        (), "--pythonpath", "DIR,...", "where to look first when importing", ITEMS
    )
    env: tuple[str, ...] = setting(
        (), "-e --env", "KEY=VALUE", "set a variable; repeatable", PAIRS
    )

    bind: tuple[str, ...] = setting(
        ("127.0.0.1:8000",),
        "-b --bind",
        "ADDRESS",
        "listen there; repeatable",
        ADDRESSES,
    )
    backlog: int = setting(
        2048, "--backlog", "N", "connections that the kernel may queue", whole(1)
    )
    socket_mode: int = setting(
        0o660, "--socket-mode", "MODE", "permissions of unix sockets", OCTAL
    )
    socket_owner: str = setting(
        "", "--socket-owner", "USER[:GROUP]", "owner of unix sockets", TEXT
    )

    workers: Scale = setting(  # noqa: RUF009
        Scale(4, 4), "-w --workers", "N|MIN:MAX", "how many worker processes", SCALE
    )
    spare_workers: int | None = setting(
        None,
        "--spare-workers",
        "N",
        "of MIN:MAX, idle ones to keep ready",
        or_word("automatic", whole(0, MOST)),
    )
    idle_timeout: float = setting(
        60.0,
        "--idle-timeout",
        "SECONDS",
        "of MIN:MAX, until idle ones leave",
        SOME_SECONDS,
    )
    preload: bool | None = setting(
        None,
        "--preload",
        "",
        "import once, before forking",
        or_word("automatic", SWITCH),
    )
    refork_after: tuple[int, ...] = setting(
        (),
        "--refork-after",
        "N,...",
        "requests until a worker becomes template",
        COUNTS,
        shown="never",
    )
    canary_path: str = setting(
        "", "--canary-path", "PATH", "what new code must answer at a reload", URL_PATH
    )
    bake: float | None = setting(
        None,
        "--bake",
        "SECONDS",
        "to watch the first new worker",
        or_word("automatic", SECONDS),
    )
    reload: bool = setting(
        False, "--reload", "", "reload when a file of it changes", SWITCH
    )
    reload_extra_file: tuple[str, ...] = setting(
        (), "--reload-extra-file", "GLOB", "and when that does; repeatable", GLOBS
    )

    timeout: float = setting(
        30.0, "-t --timeout", "SECONDS", "to answer a request; 0: no deadline", SECONDS
    )
    max_timeout: float = setting(
        300.0,
        "--max-timeout",
        "SECONDS",
        "to which the application may extend that",
        SECONDS,
    )
    graceful_timeout: float = setting(
        30.0,
        "--graceful-timeout",
        "SECONDS",
        "to finish requests when stopping",
        SECONDS,
    )
    boot_timeout: float = setting(
        60.0, "--boot-timeout", "SECONDS", "to start a worker", SOME_SECONDS
    )
    header_timeout: float = setting(
        10.0,
        "--header-timeout",
        "SECONDS",
        "to receive the head of a request",
        SOME_SECONDS,
    )
    body_timeout: float = setting(
        30.0, "--body-timeout", "SECONDS", "to receive more of a body", SOME_SECONDS
    )
    body_min_rate: int = setting(
        500, "--body-min-rate", "SIZE", "least of a body in each second; 0: any", SIZE
    )
    keep_alive: float = setting(
        5.0, "--keep-alive", "SECONDS", "to wait for another request; 0: close", SECONDS
    )
    front_end_keep_alive: float = setting(
        75.0,
        "--front-end-keep-alive",
        "SECONDS",
        "the same, of FastCGI and AJP; 0: close",
        SECONDS,
    )
    write_timeout: float = setting(
        30.0, "--write-timeout", "SECONDS", "to send more of an answer", SOME_SECONDS
    )
    slow: float = setting(
        0.0, "--slow", "SECONDS", "to log where a slow request is; 0: off", SECONDS
    )

    max_requests: int = setting(
        0, "--max-requests", "N", "after that many requests; 0: never", whole(0)
    )
    max_requests_jitter: int = setting(
        0, "--max-requests-jitter", "N", "and up to that many more, at random", whole(0)
    )
    max_rss: int = setting(
        0, "--max-rss", "SIZE", "when its memory has grown so far; 0: never", SIZE
    )
    max_lifetime: float = setting(
        0.0, "--max-lifetime", "SECONDS", "after that time; 0: never", SECONDS
    )

    lobby_size: int = setting(
        1024, "--lobby-size", "N", "connections that may wait in a worker", whole(1)
    )
    body_buffer: int = setting(
        64 << 10, "--body-buffer", "SIZE", "wait for bodies up to that size", SIZE
    )
    max_body: int = setting(1 << 30, "--max-body", "SIZE", "largest body; 0: any", SIZE)
    limit_request_line: int = setting(
        8190, "--limit-request-line", "N", "bytes in a request line", whole(1)
    )
    limit_request_fields: int = setting(
        100, "--limit-request-fields", "N", "header fields in a request", whole(1)
    )
    limit_request_field_size: int = setting(
        8190, "--limit-request-field-size", "N", "bytes in a header field", whole(1)
    )
    forwarded_allow_ips: tuple[str, ...] = setting(
        ("127.0.0.1", "::1", "unix"),
        "--forwarded-allow-ips",
        "NET,...",
        "proxies to believe",
        NETWORKS,
    )
    proxy_protocol: bool = setting(
        False,
        "--proxy-protocol",
        "",
        "connections begin with a PROXY header",
        SWITCH,
    )
    proxy_allow_ips: tuple[str, ...] = setting(
        ("127.0.0.1", "::1", "unix"),
        "--proxy-allow-ips",
        "NET,...",
        "and nobody else may connect",
        NETWORKS,
    )
    sendfile: bool = setting(
        True, "--sendfile", "", "send files by sendfile(2)", SWITCH
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
    )
    access_logformat: str = setting(
        COMBINED,
        "--access-logformat",
        "FORMAT",
        "of a line in it",
        TEXT,
        shown="combined",
    )
    error_logfile: str = setting(
        "-", "--error-logfile --log-file", "FILE", "everything else; - for stderr", TEXT
    )
    errors_to_front_end: bool = setting(
        False,
        "--errors-to-front-end",
        "",
        "and wsgi.errors to its log (FastCGI)",
        SWITCH,
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

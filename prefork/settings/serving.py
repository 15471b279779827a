"""What is served, where, and by how many workers."""

from dataclasses import dataclass

from prefork.settings.field import setting
from prefork.settings.gateways import SERVING, WSGI
from prefork.settings.kinds import (
    ADDRESSES,
    COUNTS,
    ITEMS,
    OCTAL,
    PAIRS,
    PATHS,
    REQUEST_PATH,
    SECONDS,
    SECRET,
    SOME_SECONDS,
    SWITCH,
    TEXT,
    URL_PREFIX,
    or_word,
    whole,
)
from prefork.settings.scale import MOST_WORKERS, SCALE, Scale


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A part of `Settings`; times are in seconds, sizes in bytes."""

    app: str = setting("", "", "APPLICATION", "what is served", TEXT)
    chdir: str = setting("", "--chdir", "DIR", "change to it first", TEXT)
    pythonpath: tuple[str, ...] = setting(
        (),
        "--pythonpath",
        "DIR,...",
        "where to look first when importing",
        ITEMS,
        only=WSGI,
    )
    env: tuple[str, ...] = setting(
        (), "-e --env", "KEY=VALUE", "set a variable; repeatable", PAIRS
    )
    script_name: str = setting(
        "",
        "--script-name",
        "PREFIX",
        "of the paths that are its own",
        URL_PREFIX,
        only=SERVING,
    )
    once: bool | None = setting(
        None,
        "--once",
        "",
        "be a CGI program",
        or_word("automatic", SWITCH),
        only=WSGI,
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
    socket_protocol: tuple[str, ...] = setting(
        (),
        "--socket-protocol",
        "NAME=PROTO",
        "NAME=PROTOCOL of systemd's sockets; repeatable",
        PAIRS,
    )
    ajp_secret: str = setting(
        "",
        "--ajp-secret",
        "SECRET",
        "what AJP front ends must know",
        SECRET,
        only=SERVING,
    )

    workers: Scale = setting(  # noqa: RUF009
        Scale(4, 4), "-w --workers", "N|MIN:MAX", "how many worker processes", SCALE
    )
    spare_workers: int | None = setting(
        None,
        "--spare-workers",
        "N",
        "of MIN:MAX, idle ones to keep ready",
        or_word("automatic", whole(0, MOST_WORKERS)),
        only=SERVING,
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
        only=WSGI,
    )
    refork_after: tuple[int, ...] = setting(
        (),
        "--refork-after",
        "N,...",
        "requests until a worker becomes template",
        COUNTS,
        shown="never",
        only=WSGI,
    )
    canary_path: str = setting(
        "",
        "--canary-path",
        "PATH",
        "what new code must answer at a reload",
        REQUEST_PATH,
        only=SERVING,
    )
    bake: float | None = setting(
        None,
        "--bake",
        "SECONDS",
        "to watch the first new worker",
        or_word("automatic", SECONDS),
    )
    reload: bool = setting(
        False,
        "--reload",
        "",
        "reload when a file of it changes",
        SWITCH,
        only=WSGI,
    )
    reload_extra_file: tuple[str, ...] = setting(
        (),
        "--reload-extra-file",
        "GLOB",
        "and when that does; repeatable",
        PATHS,
        only=WSGI,
    )

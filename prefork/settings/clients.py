"""How long, how often and how much: deadlines, recycling, clients."""

from dataclasses import dataclass

from prefork.settings.field import setting
from prefork.settings.gateways import SERVING, WSGI
from prefork.settings.kinds import (
    NETWORKS,
    SECONDS,
    SIZE,
    SOME_SECONDS,
    SWITCH,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """A part of `Settings`; times are in seconds, sizes in bytes."""

    timeout: float = setting(
        30.0,
        "-t --timeout",
        "SECONDS",
        "to answer a request; 0: no deadline",
        SECONDS,
        only=WSGI,
    )
    max_timeout: float = setting(
        300.0,
        "--max-timeout",
        "SECONDS",
        "to which the application may extend that",
        SECONDS,
        only=WSGI,
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
        only=SERVING,
    )
    body_timeout: float = setting(
        30.0,
        "--body-timeout",
        "SECONDS",
        "to receive more of a body",
        SOME_SECONDS,
        only=SERVING,
    )
    body_min_rate: int = setting(
        500,
        "--body-min-rate",
        "SIZE",
        "least of a body in each second; 0: any",
        SIZE,
        only=SERVING,
    )
    keep_alive: float = setting(
        5.0,
        "--keep-alive",
        "SECONDS",
        "to wait for another request; 0: close",
        SECONDS,
        only=SERVING,
    )
    frontend_keep_alive: float = setting(
        75.0,
        "--frontend-keep-alive",
        "SECONDS",
        "the same, of FastCGI and AJP; 0: close",
        SECONDS,
        only=SERVING,
    )
    relief: bool = setting(
        True,
        "--relief",
        "",
        "a long request gives other clients away",
        SWITCH,
        only=SERVING,
    )
    write_timeout: float = setting(
        30.0,
        "--write-timeout",
        "SECONDS",
        "to send more of an answer",
        SOME_SECONDS,
        only=SERVING,
    )
    slow: float = setting(
        0.0,
        "--slow",
        "SECONDS",
        "to log where a slow request is; 0: off",
        SECONDS,
        only=WSGI,
    )

    max_requests: int = setting(
        0,
        "--max-requests",
        "N",
        "after that many requests; 0: never",
        whole(0),
        only=SERVING,
    )
    max_requests_jitter: int = setting(
        0,
        "--max-requests-jitter",
        "N",
        "and up to that many more, at random",
        whole(0),
        only=SERVING,
    )
    max_rss: int = setting(
        0, "--max-rss", "SIZE", "when its memory has grown so far; 0: never", SIZE
    )
    max_lifetime: float = setting(
        0.0, "--max-lifetime", "SECONDS", "after that time; 0: never", SECONDS
    )

    lobby_size: int = setting(
        1024,
        "--lobby-size",
        "N",
        "connections that may wait in a worker",
        whole(1),
        only=SERVING,
    )
    body_buffer: int = setting(
        64 << 10,
        "--body-buffer",
        "SIZE",
        "wait for bodies up to that size",
        SIZE,
        only=SERVING,
    )
    max_body: int = setting(
        1 << 30, "--max-body", "SIZE", "largest body; 0: any", SIZE, only=SERVING
    )
    limit_request_line: int = setting(
        8190,
        "--limit-request-line",
        "N",
        "bytes in a request line",
        whole(1),
        only=SERVING,
    )
    limit_request_fields: int = setting(
        100,
        "--limit-request-fields",
        "N",
        "header fields in a request",
        whole(1),
        only=SERVING,
    )
    limit_request_field_size: int = setting(
        8190,
        "--limit-request-field-size",
        "N",
        "bytes in a header field",
        whole(1),
        only=SERVING,
    )
    limit_variables: int = setting(
        1000,
        "--limit-variables",
        "N",
        "variables from a front end",
        whole(1),
        only=SERVING,
    )
    limit_variables_size: int = setting(
        256 << 10,
        "--limit-variables-size",
        "SIZE",
        "of all of them together",
        SIZE,
        only=SERVING,
    )
    forwarded_allow_ips: tuple[str, ...] = setting(
        ("127.0.0.1", "::1", "unix"),
        "--forwarded-allow-ips",
        "NET,...",
        "proxies to believe",
        NETWORKS,
        only=SERVING,
    )
    proxy_protocol: bool = setting(
        False,
        "--proxy-protocol",
        "",
        "connections begin with a PROXY header",
        SWITCH,
        only=SERVING,
    )
    proxy_allow_ips: tuple[str, ...] = setting(
        ("127.0.0.1", "::1", "unix"),
        "--proxy-allow-ips",
        "NET,...",
        "and nobody else may connect",
        NETWORKS,
        only=SERVING,
    )
    sendfile: bool = setting(
        True,
        "--sendfile",
        "",
        "send files by sendfile(2)",
        SWITCH,
        only=WSGI,
    )

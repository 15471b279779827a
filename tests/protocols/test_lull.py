"""When an answer may begin while its request's body is still on the way."""

import pytest

from prefork.protocols.lull import (
    AT_ONCE,
    IN_A_PAUSE,
    NEVER,
    find_lull,
    find_lull_of_http,
)

DIRECT = {"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1"}


@pytest.mark.parametrize(
    ("more", "lull"),
    [
        ({}, IN_A_PAUSE),
        ({"HTTP_EXPECT": "100-continue"}, AT_ONCE),
        ({"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, NEVER),
        ({"HTTP_VIA": "1.1 proxy"}, NEVER),
        ({"REMOTE_ADDR": ""}, NEVER),  # over a unix socket
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, NEVER),
        ({"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_EXPECT": "100-continue"}, NEVER),
    ],
)
def test_over_http_it_is_early_where_it_is_not_nginx(
    more: dict[str, str], lull: float
) -> None:
    assert find_lull_of_http({**DIRECT, **more}) == lull


@pytest.mark.parametrize(
    ("software", "lull"),
    [
        ("Apache/2.4.66 (Debian)", AT_ONCE),
        ("HAProxy 2.6.12", AT_ONCE),
        ("nginx/1.22.1", NEVER),
        ("ApacheLike/1", NEVER),
        ("prefork", NEVER),  # it has not said
    ],
)
def test_a_web_server_is_known_by_its_name(software: str, lull: float) -> None:
    assert find_lull({"SERVER_SOFTWARE": software}) == lull

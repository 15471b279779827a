"""The table that the tests of front ends end with."""

from serving.makes import MAKES
from serving.matrix import Outcome, format_matrix

OUTCOMES = [
    Outcome("nginx", "http", "unix", "it works"),
    Outcome("nginx", "http", "tcp", "it works"),
    Outcome("nginx", "scgi", "unix", "it works", lack="sleeps"),
    Outcome("nginx", "scgi", "tcp", "it works"),
    Outcome("caddy", "fastcgi", "unix", "it works", is_ok=False),
    Outcome("caddy", "fastcgi", "tcp", "it works"),
    Outcome("caddy", "fastcgi", "tcp", "it shines", lack="is dull"),
]


def test_a_column_is_a_protocol_of_a_front_end_and_a_row_is_a_test() -> None:
    assert list(format_matrix(OUTCOMES)) == [
        "           nginx caddy",
        "           h s   f",
        "it works   + a   F",
        "it shines        b",
        "h: http, s: scgi, f: fastcgi",
        "+: as it should be, over unix sockets and TCP; F: failed",
        "a: not applicable, the front end sleeps (unix)",
        "b: not applicable, the front end is dull",
    ]


def test_all_of_them_fit_100_columns() -> None:
    test = "an answer that is too short is seen by the client"
    outcomes = [
        Outcome(make.name, protocol, "unix", test)
        for make in MAKES.values()
        for protocol in make.protocols
    ]
    assert max(map(len, format_matrix(outcomes))) <= 100

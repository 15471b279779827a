"""The table that the tests of front ends end with."""

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
        "           nginx       caddy",
        "           http  scgi  fcgi",
        "it works   ok    1     FAIL",
        "it shines              2",
        "   1  not applicable: the front end sleeps (unix)",
        "   2  not applicable: the front end is dull",
    ]

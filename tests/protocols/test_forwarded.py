"""Who may say who the client is, and what becomes of what they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.forwarded import (
    TrustedPeers,
    apply_forwarded,
    find_node,
    is_forwarded,
)

PEERS = TrustedPeers(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "unix"])
CONNECTION = {
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "4711",
    "SERVER_NAME": "inside",
    "SERVER_PORT": "8000",
    "HTTP_HOST": "inside:8000",
}
FIELDS = {
    "for": "HTTP_X_FORWARDED_FOR",
    "proto": "HTTP_X_FORWARDED_PROTO",
    "host": "HTTP_X_FORWARDED_HOST",
    "forwarded": "HTTP_FORWARDED",
}


def receive(*, trusted: bool = True, **fields: str) -> dict[str, str]:
    """The variables of a request with some forwarding fields, by short names."""
    forwarded = {FIELDS[name]: value for name, value in fields.items()}
    variables = CONNECTION | forwarded
    assert is_forwarded(variables)
    apply_forwarded(variables, trusted=trusted, is_trusted=PEERS.__contains__)
    return variables


def test_leaves_a_request_alone_that_was_not_forwarded() -> None:
    variables = dict(CONNECTION)
    assert not is_forwarded(variables)
    for trusted in True, False:
        apply_forwarded(variables, trusted=trusted, is_trusted=PEERS.__contains__)
        assert variables == CONNECTION


def test_believes_nothing_from_just_anyone() -> None:
    fields = {"for": "1.2.3.4", "proto": "https", "host": "evil", "forwarded": "\0"}
    assert receive(trusted=False, **fields) == CONNECTION


# ---- the client


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),  # the first could be anyone's invention
        ("1.2.3.4, 10.1.1.1,10.2.2.2", "1.2.3.4"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),  # all trusted: the one farthest away
        ("1.2.3.4:5678", "1.2.3.4"),
        ("1.2.3.4,", "1.2.3.4"),
        ("2A00::1", "2a00::1"),
        ("[2a00::1]:80", "2a00::1"),
        ("::ffff:1.2.3.4, 2001:db8::1", "1.2.3.4"),
        # As far as the chain can be followed, and no farther.
        ("1.2.3.4, unknown, 10.1.1.1", "10.1.1.1"),
        ("1.2.3.4, _hidden", "192.0.2.7"),
        ("nonsense", "192.0.2.7"),
        ("999.1.1.1", "192.0.2.7"),
        ("fe80::1%<script>", "192.0.2.7"),
        ("", "192.0.2.7"),
        (" , ", "192.0.2.7"),
    ],
)
def test_follows_the_chain_to_the_client(chain: str, client: str) -> None:
    variables = receive(**{"for": chain})
    assert variables["REMOTE_ADDR"] == client
    assert ("REMOTE_PORT" in variables) is (client == "192.0.2.7")


# ---- scheme and host


@pytest.mark.parametrize("proto", ["https", "HTTPS", "https, https"])
def test_sees_that_the_client_came_by_https(proto: str) -> None:
    variables = receive(proto=proto)
    assert (variables["REQUEST_SCHEME"], variables["HTTPS"]) == ("https", "on")


@pytest.mark.parametrize(
    ("proto", "scheme"), [("http", "http"), ("gopher", None), ("", None)]
)
def test_does_not_take_another_scheme_for_https(proto: str, scheme: str | None) -> None:
    variables = receive(proto=proto)
    assert variables.get("REQUEST_SCHEME") == scheme
    assert "HTTPS" not in variables


@pytest.mark.parametrize(
    ("host", "proto", "expected"),
    [
        ("example.com", "", ("example.com", "example.com", "80")),
        ("example.com", "https", ("example.com", "example.com", "443")),
        ("example.com:81", "https", ("example.com:81", "example.com", "81")),
        ("[::1]:81", "", ("[::1]:81", "[::1]", "81")),
        ("evil, example.com", "", ("example.com", "example.com", "80")),
        ("", "", ("inside:8000", "inside", "8000")),
    ],
)
def test_takes_the_host_that_the_client_asked_for(
    host: str, proto: str, expected: tuple[str, str, str]
) -> None:
    variables = receive(host=host, proto=proto)
    names = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT")
    assert tuple(variables[name] for name in names) == expected


# ---- Forwarded


def test_reads_all_from_one_element_of_forwarded() -> None:
    variables = receive(
        forwarded='for=9.9.9.9;host=evil , For="[2a00::1]:5";Proto=https;host="e.com:1"'
        ";by=_me,for=10.1.1.1;host=b;proto=http"
    )
    assert variables["REMOTE_ADDR"] == "2a00::1"
    assert variables["HTTPS"] == "on"
    assert variables["HTTP_HOST"] == "e.com:1"
    assert variables["SERVER_PORT"] == "1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("for=1.2.3.4", "1.2.3.4"),
        ('for="1.2.3.4:_port"', "1.2.3.4"),
        ("for=1.2.3.4,", "1.2.3.4"),
        (";;for=1.2.3.4;", "1.2.3.4"),
        ('for="\\1.2.3.4"', "1.2.3.4"),
        ('for=1.2.3.4;x="a,b;for=c"', "1.2.3.4"),
        ("for=unknown", "192.0.2.7"),
        ("for=_secret", "192.0.2.7"),
        ('for=""', "192.0.2.7"),
        ("proto=http", "192.0.2.7"),
        ("", "192.0.2.7"),
    ],
)
def test_reads_the_client_from_forwarded(forwarded: str, client: str) -> None:
    assert receive(forwarded=forwarded)["REMOTE_ADDR"] == client


def test_forwarded_wins() -> None:
    variables = receive(
        forwarded="for=1.2.3.4;host=a", host="b", proto="https", **{"for": "5.6.7.8"}
    )
    assert variables["REMOTE_ADDR"] == "1.2.3.4"
    assert variables["HTTP_HOST"] == "a"
    assert variables["HTTPS"] == "on"  # which Forwarded did not say


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"proto": "https, http"}, "two schemes"),
        ({"proto": "https", "forwarded": "proto=http"}, "two fields, two schemes"),
        ({"host": "a/b"}, "path in a host"),
        ({"host": "user@a"}, "userinfo in a host"),
        ({"host": "caf\xe9"}, "host not ASCII"),
        ({"forwarded": 'host="a b"'}, "space in a host"),
        ({"forwarded": "for"}, "no value"),
        ({"forwarded": "for="}, "empty value without quotes"),
        ({"forwarded": "for = 1.2.3.4"}, "space round the equals sign"),
        ({"forwarded": "for=[::1]"}, "brackets without quotes"),
        ({"forwarded": 'for="1.2.3.4'}, "quotes not closed"),
        ({"forwarded": 'for="1.2.3.4"x'}, "text behind the quotes"),
        ({"forwarded": "for=1.2.3.4;for=5.6.7.8"}, "the same parameter twice"),
    ],
)
def test_refuses(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        receive(**fields)
    assert refusal.value.status == 400


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(FIELDS)), st.text('fo=r,"\\;:[]1.\xe9 '), min_size=1
    )
)
def test_raises_nothing_but_protocol_errors(fields: dict[str, str]) -> None:
    try:
        variables = receive(**fields)
    except ProtocolError:
        return
    assert variables["REMOTE_ADDR"] in (
        "192.0.2.7",
        find_node(variables["REMOTE_ADDR"]),
    )


# ---- who is trusted


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8:1::2", True),
        ("2001:db9::", False),
        ("unix", True),
        ("", True),  # how REMOTE_ADDR says unix
        ("10.0.0.1.evil", False),
        ("10.0.0.0/8", False),
        ("nonsense", False),
    ],
)
def test_knows_whom_to_trust(address: str, trusted: bool) -> None:
    for _ in "asked once", "and again":
        assert (address in PEERS) is trusted


def test_trusts_nobody_or_everybody() -> None:
    assert "127.0.0.1" not in TrustedPeers([])
    assert "" not in TrustedPeers(["127.0.0.1"])
    assert "unix" not in TrustedPeers(["127.0.0.1"])
    assert "1.2.3.4" in TrustedPeers(["*"])
    assert "" in TrustedPeers(["*"])


@pytest.mark.parametrize(
    "entry", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "1.2.3"]
)
def test_refuses_an_entry_that_is_no_network(entry: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        TrustedPeers([entry])

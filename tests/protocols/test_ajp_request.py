"""A FORWARD_REQUEST of AJP13: from bytes to variables."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import ajp
from serving.feeding import open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.ajp_request import ForwardRequests
from prefork.protocols.terms import Limits

METHODS = {
    1: "OPTIONS",
    2: "GET",
    3: "HEAD",
    4: "POST",
    5: "PUT",
    6: "DELETE",
    7: "TRACE",
    8: "PROPFIND",
    9: "PROPPATCH",
    10: "MKCOL",
    11: "COPY",
    12: "MOVE",
    13: "LOCK",
    14: "UNLOCK",
    15: "ACL",
    16: "REPORT",
    17: "VERSION-CONTROL",
    18: "CHECKIN",
    19: "CHECKOUT",
    20: "UNCHECKOUT",
    21: "SEARCH",
    22: "MKWORKSPACE",
    23: "UPDATE",
    24: "LABEL",
    25: "MERGE",
    26: "BASELINE-CONTROL",
    27: "MKACTIVITY",
}


def variables(
    uri: str = "/", *headers: tuple[str, str], **more: object
) -> dict[str, str]:
    """What an application would see of a request."""
    request = open_conversation("ajp").feed(ajp.forward(uri, *headers, **more))
    assert request is not None
    return request.variables


def refusal(payload: bytes) -> str:
    """Why a packet is refused."""
    with pytest.raises(ProtocolError) as error:
        open_conversation("ajp").feed(ajp.packet(payload))
    return error.value.reason


# ---- the line


@pytest.mark.parametrize(("code", "method"), METHODS.items())
def test_a_method_has_its_code(code: int, method: str) -> None:
    assert variables(method=code)["REQUEST_METHOD"] == method


def test_a_method_without_a_code_stands_in_an_attribute() -> None:
    attributes = ajp.PORT + ajp.coded(ajp.STORED_METHOD, "PATCH")
    seen = variables(method=ajp.STORED, attributes=attributes)
    assert seen["REQUEST_METHOD"] == "PATCH"
    assert "stored_method" not in seen


def test_what_comes_before_the_headers_is_the_line_and_the_addresses() -> None:
    seen = variables("/a", protocol="HTTP/1.0", host="client.example", port=8443)
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert seen["REMOTE_ADDR"] == "192.0.2.7"
    assert seen["REMOTE_HOST"] == "client.example"
    assert seen["SERVER_NAME"] == "www.example.org"
    assert seen["SERVER_PORT"] == "8443"


def test_what_is_null_is_not_there() -> None:
    seen = variables(protocol=None, host=None)
    assert "REMOTE_HOST" not in seen
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_is_ssl_makes_it_https() -> None:
    assert variables(is_ssl=True)["HTTPS"] == "on"
    assert "HTTPS" not in variables()


# ---- the target


def test_the_path_is_decoded_once() -> None:
    """Flup 1.0.3 hands it over as it came."""
    query = ajp.coded(0x05, "x=1&y=%20")
    seen = variables("/sub/a%20b/%C3%B6%2541", attributes=ajp.PORT + query)
    assert seen["PATH_INFO"] == "/sub/a b/\xc3\xb6%41"
    assert seen["SCRIPT_NAME"] == ""
    assert seen["QUERY_STRING"] == "x=1&y=%20"
    assert seen["REQUEST_URI"] == "/sub/a%20b/%C3%B6%2541?x=1&y=%20"


def test_there_is_always_a_query_string() -> None:
    assert variables("/a")["QUERY_STRING"] == ""
    assert variables("/a")["REQUEST_URI"] == "/a"
    empty = variables("/a", attributes=ajp.PORT + ajp.coded(0x05, ""))
    assert empty["REQUEST_URI"] == "/a?"


def test_lighttpd_has_decoded_the_path_already() -> None:
    """It says no port of the client's, and always a length."""
    fields = [("Content-Length", "0"), ("Host", "x.org")]
    seen = variables("/a b/\xc3\xb6%41", *fields, attributes=b"")
    assert seen["PATH_INFO"] == "/a b/\xc3\xb6%41"
    assert seen["REQUEST_URI"] == "/a%20b/%C3%B6%2541"
    old = variables("/%41", fields[0], protocol="HTTP/1.0", attributes=b"")
    assert old["PATH_INFO"] == "/%41"


@pytest.mark.parametrize(
    "more",
    [
        {"host": "client.example"},
        {"host": ""},
        {"attributes": ajp.PORT},
        {"attributes": ajp.named("JK_LB_ACTIVATION", "ACT")},
        {"attributes": ajp.coded(0x06, "route")},
        {"attributes": ajp.coded(0x09, "session")},
    ],
)
def test_others_that_say_a_length_are_not_taken_for_lighttpd(
    more: dict[str, object],
) -> None:
    """Not all that speak AJP say the client's port, as Apache and mod_jk do."""
    fields = [("Content-Length", "0"), ("Host", "x.org")]
    seen = variables("/a%20b", *fields, **{"attributes": b"", **more})
    assert (seen["PATH_INFO"], seen["REQUEST_URI"]) == ("/a b", "/a%20b")


def test_without_a_host_it_is_not_lighttpd() -> None:
    seen = variables("/a%20b", ("Content-Length", "0"), attributes=b"")
    assert (seen["PATH_INFO"], seen["REQUEST_URI"]) == ("/a b", "/a%20b")


def test_options_may_be_asked_of_no_path() -> None:
    seen = variables("*", method=1)
    assert (seen["PATH_INFO"], seen["REQUEST_URI"]) == ("", "*")


@pytest.mark.parametrize(
    "uri", ["", None, "a", "*", "http://x/", "/a b", "/\xe9", "/\n", "/\x7f"]
)
def test_a_target_is_a_path_as_clients_write_it(uri: str | None) -> None:
    assert refusal(ajp.payload(uri)) == "malformed request target"


# ---- headers


def test_headers_with_and_without_a_code_are_variables() -> None:
    seen = variables(
        "/", ("Host", "x.org"), ("content-type", "text/css"), ("X-Thing", " caf\xe9 ")
    )
    assert seen["HTTP_HOST"] == "x.org"
    assert seen["CONTENT_TYPE"] == "text/css"
    assert seen["HTTP_X_THING"] == "caf\xe9"


def test_a_header_that_came_twice_is_joined() -> None:
    seen = variables(
        "/", ("X-Dup", "1"), ("X-Dup", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")
    )
    assert seen["HTTP_X_DUP"] == "1,2"
    assert seen["HTTP_COOKIE"] == "a=1; b=2"


def test_headers_that_would_deceive_are_dropped() -> None:
    seen = variables("/", ("Proxy", "evil"), ("X_Forwarded_For", "6.6.6.6"))
    assert not {"HTTP_PROXY", "HTTP_X_FORWARDED_FOR"} & seen.keys()


@pytest.mark.parametrize("name", ["Content-Length", "Host", "Authorization"])
def test_a_header_that_must_be_single_is(name: str) -> None:
    payload = ajp.payload("/", (name, "1"), (name, "1"))
    assert refusal(payload) == "repeated field that must be single"


# ---- attributes


def test_attributes_with_a_code_are_variables() -> None:
    """`context` and `servlet_path` are a container's; ours are not theirs to say."""
    names = {
        0x01: "AJP_CONTEXT",
        0x02: "AJP_SERVLET_PATH",
        0x03: "REMOTE_USER",
        0x04: "AUTH_TYPE",
        0x06: "AJP_JVM_ROUTE",
        0x07: "SSL_CLIENT_CERT",
        0x08: "SSL_CIPHER",
        0x09: "SSL_SESSION_ID",
    }
    attributes = b"".join(ajp.coded(code, f"value {code}") for code in names)
    seen = variables(attributes=attributes + b"\x0b" + struct.pack("!H", 256))
    for code, name in names.items():
        assert seen[name] == f"value {code}"
    assert seen["SSL_CIPHER_USEKEYSIZE"] == "256"
    assert seen["SCRIPT_NAME"] == ""


def test_what_apache_says_by_request_attributes_is_known() -> None:
    attributes = [
        ajp.named("AJP_REMOTE_PORT", "4711"),
        ajp.named("AJP_LOCAL_ADDR", "192.0.2.1"),
        ajp.named("AJP_SSL_PROTOCOL", "TLSv1.3"),
    ]
    seen = variables(attributes=b"".join(attributes))
    assert seen["REMOTE_PORT"] == "4711"
    assert seen["SERVER_ADDR"] == "192.0.2.1"
    assert seen["SSL_PROTOCOL"] == "TLSv1.3"


@pytest.mark.parametrize(
    "name",
    ["HTTP_HOST", "SCRIPT_NAME", "PATH_INFO", "REMOTE_USER", "wsgi.input", "secret"],
)
def test_any_other_request_attribute_gets_a_prefix(name: str) -> None:
    """CVE-2020-1938 was a request attribute that the container itself obeyed."""
    before = variables()
    seen = variables(attributes=ajp.PORT + ajp.named(name, "evil"))
    assert seen.pop("AJP_" + name) == "evil"
    assert seen == before


def test_a_prefix_is_not_put_twice() -> None:
    seen = variables(attributes=ajp.PORT + ajp.named("AJP_X", "1"))
    assert seen["AJP_X"] == "1"


def test_an_attribute_that_is_null_is_not_there() -> None:
    seen = variables(attributes=ajp.PORT + ajp.coded(0x03, None))
    assert "REMOTE_USER" not in seen


def test_what_comes_after_the_last_attribute_is_nobodys() -> None:
    packet = ajp.packet(ajp.payload("/") + b"\x03junk")
    assert open_conversation("ajp").feed(packet) is not None


def test_the_secret_is_no_variable() -> None:
    seen = variables(attributes=ajp.PORT + ajp.coded(ajp.SECRET, "s3cr3t"))
    assert "s3cr3t" not in seen.values()


# ---- what is malformed


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (ajp.payload("/", method=0), "no method"),
        (ajp.payload("/", method=28), "no method"),
        (ajp.payload("/", method=ajp.STORED), "no method"),
        (
            ajp.payload("/", method=255, attributes=ajp.PORT + ajp.coded(0x0D, "g et")),
            "malformed REQUEST_METHOD",
        ),
        (ajp.payload("/", ("", "x")), "malformed field name"),
        (ajp.payload("/", ("a b", "x")), "malformed field name"),
        (ajp.payload("/", ("X", "a\0b")), "NUL in a variable"),
        (ajp.payload("/", attributes=b"\x0e\x00\x00\x00"), "unknown code"),
        (ajp.payload("/", attributes=ajp.named("a=b", "c")), "malformed name"),
        (ajp.payload("/", attributes=ajp.named("a\0", "c")), "malformed name"),
        (ajp.payload("/", *[("A", "1")] * 3)[:-1], "ends too early"),
        (ajp.payload("/").replace(b"HTTP/1.1\0", b"HTTP/1.1!"), "without its NUL"),
        (
            ajp.payload("/", ("Host", "x")).replace(b"\xa0\x0b", b"\xa0\x0f"),
            "unknown code of a header",
        ),
        (b"\x02", "ends too early"),
    ],
)
def test_what_is_malformed_is_refused_with_a_reason(
    payload: bytes, reason: str
) -> None:
    assert reason in refusal(payload)


def test_a_request_that_is_cut_anywhere_is_refused() -> None:
    whole = ajp.payload("/path", ("Host", "x.org"), attributes=ajp.coded(0x03, "me"))
    for size in range(1, len(whole)):
        assert refusal(whole[:size]) in (
            "FORWARD_REQUEST ends too early",
            "string without its NUL",
        )


def test_there_is_a_limit_to_the_variables() -> None:
    fields = [(f"X-{n}", "1") for n in range(20)]
    conversation = open_conversation("ajp", limits=Limits(variables=20))
    with pytest.raises(ProtocolError, match="too many variables") as error:
        conversation.feed(ajp.forward("/", *fields))
    assert error.value.status == 431


def test_there_is_a_limit_to_their_size() -> None:
    conversation = open_conversation("ajp", limits=Limits(variables_size=1000))
    assert conversation.feed(ajp.forward("/", ("X", "y" * 800)))
    with pytest.raises(ProtocolError, match="too long") as error:
        conversation.feed(ajp.forward("/", ("X", "y" * 1000)))
    assert error.value.status == 431


# ---- what was seen before


def test_the_same_headers_from_another_client_are_that_clients() -> None:
    requests = ForwardRequests(Limits())
    fields = [("Host", "x.org"), ("X-Thing", "1")]
    for number in range(3):
        port = ajp.named("AJP_REMOTE_PORT", str(number))
        user = ajp.coded(0x03, f"user {number}") if number else b""
        for attributes in (user + port, port + user):
            payload = ajp.payload(f"/{number}", *fields, attributes=attributes)
            seen, _ = requests.parse(payload)
            assert seen["REMOTE_PORT"] == str(number)
            assert seen["REQUEST_URI"] == f"/{number}"
            assert seen.get("REMOTE_USER", "user 0") == f"user {number}"
            assert (seen["HTTP_HOST"], seen["HTTP_X_THING"]) == ("x.org", "1")


def test_what_looks_like_a_clients_port_is_looked_at_in_its_place() -> None:
    requests = ForwardRequests(Limits())
    for _ in range(2):
        with pytest.raises(ProtocolError, match="NUL in a variable"):
            requests.parse(ajp.payload("/", ("X", ajp.PORT.decode("latin-1"))))
        seen, _ = requests.parse(
            ajp.payload("/", ("X", "1"), attributes=b"") + ajp.PORT
        )
        assert "REMOTE_PORT" not in seen


@given(st.lists(st.sampled_from(range(4)), min_size=2, max_size=6))
def test_in_any_order_each_is_what_it_is_alone(order: list[int]) -> None:
    payloads = [
        ajp.payload("/a", ("Host", "a"), attributes=ajp.coded(0x05, "q") + ajp.PORT),
        ajp.payload("/b", ("Host", "a"), ("Cookie", "b"), attributes=ajp.PORT),
        ajp.payload("/a", ("Host", "a"), attributes=ajp.PORT + ajp.coded(0x05, "q")),
        ajp.payload("/c", ("Host", "a"), attributes=ajp.coded(ajp.SECRET, "s")),
    ]
    requests = ForwardRequests(Limits())
    for number in order:
        alone = ForwardRequests(Limits()).parse(payloads[number])
        assert requests.parse(payloads[number]) == alone


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_refused(data: bytes) -> None:
    for payload in (b"\x02" + data, ajp.payload("/")[:-1] + data):
        try:
            seen, _ = ForwardRequests(Limits()).parse(payload)
        except ProtocolError:
            continue
        assert all(type(value) is str for value in seen.values())


texts = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40)


@given(st.lists(st.tuples(st.from_regex(r"X-[a-z]{1,8}", fullmatch=True), texts)))
def test_any_headers_arrive_as_they_were_sent(fields: list[tuple[str, str]]) -> None:
    seen = variables("/", *fields)
    wanted: dict[str, list[str]] = {}
    for name, value in fields:
        key = "HTTP_" + name.upper().replace("-", "_")
        wanted.setdefault(key, []).append(value.strip(" \t"))
    for key, values in wanted.items():
        assert seen[key] == ",".join(values)

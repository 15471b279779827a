"""prefork.protocols.cgi: a request from the environment of a process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols import cgi
from prefork.protocols.terms import Limits, Terms

TERMS = Terms(limits=Limits(body=100), defaults={"SERVER_NAME": "localhost"})
# As Apache starts a program at /cgi-bin/app.
GET = {
    b"GATEWAY_INTERFACE": b"CGI/1.1",
    b"HTTP_HOST": b"a.test:8080",
    b"PATH": b"/usr/bin",
    b"QUERY_STRING": b"a=b",
    b"REMOTE_ADDR": b"192.0.2.7",
    b"REQUEST_METHOD": b"GET",
    b"REQUEST_URI": b"/cgi-bin/app/x%20y?a=b",
    b"PATH_INFO": b"/x y",
    b"SCRIPT_NAME": b"/cgi-bin/app",
    b"SERVER_NAME": b"a.test",
    b"SERVER_PORT": b"8080",
    b"SERVER_PROTOCOL": b"HTTP/1.1",
}


def variables(**changes: bytes | None) -> dict[str, str]:
    environment = {**GET, **{k.encode(): v for k, v in changes.items()}}
    given = {name: value for name, value in environment.items() if value is not None}
    return cgi.read_request(given, TERMS)[0].variables


def test_a_request_is_what_the_environment_says() -> None:
    said = {name.decode(): value.decode() for name, value in GET.items()}
    assert variables() == {**said, "RAW_URI": "/cgi-bin/app/x%20y?a=b"}


def test_bytes_become_latin_1_whatever_the_locale_is() -> None:
    """PEP 3333: strings of code points up to 255, a byte each."""
    odd = bytes(range(1, 256))
    assert variables(HTTP_ODD=odd)["HTTP_ODD"] == odd.decode("latin-1")
    assert variables(PATH_INFO="/ö".encode())["PATH_INFO"] == "/\xc3\xb6"


def test_without_path_info_nothing_follows_the_script() -> None:
    uri = b"/cgi-bin/app"
    found = variables(PATH_INFO=None, QUERY_STRING=b"", REQUEST_URI=uri)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/cgi-bin/app", "")


def test_what_apache_and_its_modules_add_is_there() -> None:
    assert variables(SSL_PROTOCOL=b"TLSv1.3", MY_SETTING=b"1")["MY_SETTING"] == "1"


def test_a_proxy_header_is_not() -> None:
    assert "HTTP_PROXY" not in variables(HTTP_PROXY=b"http://evil.test")


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({}, 0),
        ({"CONTENT_LENGTH": b""}, 0),
        ({"CONTENT_LENGTH": b"-1"}, 0),
        ({"CONTENT_LENGTH": b"0"}, 0),
        ({"CONTENT_LENGTH": b"100"}, 100),
        ({"HTTP_TRANSFER_ENCODING": b"chunked"}, None),
        ({"HTTP_TRANSFER_ENCODING": b"chunked", "CONTENT_LENGTH": b"7"}, 7),
    ],
)
def test_the_length_of_the_body_is_what_was_said(
    changes: dict[str, bytes], length: int | None
) -> None:
    environment = {**GET, **{k.encode(): v for k, v in changes.items()}}
    assert cgi.read_request(environment, TERMS)[1] == length


@pytest.mark.parametrize("length", [b"", b"-1"])
def test_a_length_that_says_nothing_is_not_passed_on(length: bytes) -> None:
    assert "CONTENT_LENGTH" not in variables(CONTENT_LENGTH=length)


@pytest.mark.parametrize(
    ("changes", "reason", "status"),
    [
        ({"REQUEST_METHOD": None}, "no method", 400),
        ({"REQUEST_METHOD": b"G T"}, "malformed REQUEST_METHOD", 400),
        ({"CONTENT_LENGTH": b"+7"}, "malformed CONTENT_LENGTH", 400),
        ({"CONTENT_LENGTH": b"\xb2"}, "malformed CONTENT_LENGTH", 400),
        ({"CONTENT_LENGTH": b"101"}, "body too long", 413),
    ],
)
def test_what_is_no_request_is_refused(
    changes: dict[str, bytes | None], reason: str, status: int
) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        variables(**changes)
    assert caught.value.status == status
    assert cgi.refuse(caught.value).startswith(b"Status: %d " % status)


def test_a_status_begins_the_answer() -> None:
    request, _ = cgi.read_request(GET, TERMS)
    data = cgi.answer(request).start("200 OK", [("A", "b")], b"hello", complete=True)
    assert data == b"Status: 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"


@given(st.dictionaries(st.sampled_from([*GET, b"CONTENT_LENGTH"]), st.binary()))
def test_whatever_there_is_is_a_request_or_an_error(
    changes: dict[bytes, bytes],
) -> None:
    try:
        request, _ = cgi.read_request({**GET, **changes}, TERMS)
    except ProtocolError:
        return
    assert {"SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"} <= request.variables.keys()

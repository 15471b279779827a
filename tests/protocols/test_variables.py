"""The variables of front ends: joined, dropped, completed; and in stretches."""

import pytest

from prefork.errors import ProtocolError
from prefork.protocols.terms import Limits, Terms
from prefork.protocols.variables import (
    complete,
    gather,
    read_length,
)

TERMS = Terms(
    defaults={
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "here",
        "SERVER_PORT": "8000",
        "SERVER_SOFTWARE": "prefork",
    }
)
PEER = {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711"}


def completed(**variables: str) -> dict[str, str]:
    return complete({"REQUEST_METHOD": "GET"} | variables, TERMS, PEER)


# ---- gathering


def test_a_header_field_that_came_twice_is_joined() -> None:
    pairs = [("HTTP_X_DUP", "one"), ("A", "b"), ("HTTP_X_DUP", "two")]
    assert gather(pairs, Limits()) == {"HTTP_X_DUP": "one,two", "A": "b"}
    cookies = [("HTTP_COOKIE", "a=1"), ("HTTP_COOKIE", "b=2"), ("HTTP_COOKIE", "c=3")]
    assert gather(cookies, Limits()) == {"HTTP_COOKIE": "a=1; b=2; c=3"}


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "HTTP_HOST", "QUERY_STRING"])
def test_of_anything_else_the_last_one_counts(name: str) -> None:
    assert gather([(name, "a"), (name, "b")], Limits()) == {name: "b"}


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("", "a"), "malformed name"),
        (("A=B", "c"), "malformed name"),
        (("A\0", "c"), "malformed name"),
        (("A", "b\0c"), "NUL in a variable"),
    ],
)
def test_names_and_values_that_an_environment_could_not_have_are_refused(
    pair: tuple[str, str], reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        gather([("B", "c"), pair], Limits())


def test_there_may_be_as_many_as_the_limit() -> None:
    pairs = [("HTTP_A", "b")] * 3
    assert gather(pairs, Limits(variables=3)) == {"HTTP_A": "b,b,b"}
    with pytest.raises(ProtocolError, match="too many variables") as refused:
        gather(pairs, Limits(variables=2))
    assert refused.value.status == 431


# ---- gathering in stretches


# ---- completing


def test_what_no_front_end_has_said_is_the_listeners() -> None:
    assert completed() == {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "",
        "RAW_URI": "",
        "SCRIPT_NAME": "",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "prefork",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "4711",
    }


def test_what_the_front_end_has_said_stays() -> None:
    said = {
        "GATEWAY_INTERFACE": "CGI/1.2",
        "SERVER_PROTOCOL": "HTTP/2.0",
        "SERVER_SOFTWARE": "nginx/1.22.1",
        "SERVER_NAME": "a.test",
        "SERVER_PORT": "8080",
        "REMOTE_ADDR": "203.0.113.9",
        "REMOTE_PORT": "5",
        "REMOTE_USER": "",
        "CONTENT_TYPE": "text/plain",
        "proxy-nokeepalive": "1",
    }
    assert said.items() <= completed(**said).items()


def test_what_is_said_to_be_nothing_is_not_said() -> None:
    """PEP 3333: of the first two, "they can never be empty strings"."""
    nothing = completed(SERVER_NAME="", SERVER_PORT="", SERVER_PROTOCOL="")
    assert nothing["SERVER_NAME"] == "here"
    assert nothing["SERVER_PORT"] == "80"
    assert nothing["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_a_client_has_no_port_of_its_front_end() -> None:
    assert "REMOTE_PORT" not in completed(REMOTE_ADDR="203.0.113.9")


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_PROXY",  # "httpoxy", CVE-2016-5385
        "HTTP_TRANSFER_ENCODING",
    ],
)
def test_what_would_be_misunderstood_is_dropped(name: str) -> None:
    assert name not in completed(**{name: "x"})


def test_an_empty_type_is_none() -> None:
    """nginx says CONTENT_TYPE of every request."""
    assert "CONTENT_TYPE" not in completed(CONTENT_TYPE="")


@pytest.mark.parametrize("method", ["", "get", "GET /", "GE\nT", "X" * 33])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(ProtocolError, match=r"method|METHOD"):
        completed(REQUEST_METHOD=method)


@pytest.mark.parametrize(
    ("said", "is_https"),
    [
        ({}, False),
        ({"HTTPS": "on"}, True),
        ({"HTTPS": "On"}, True),
        ({"HTTPS": "1"}, True),
        ({"HTTPS": "off"}, False),
        ({"HTTPS": ""}, False),
        ({"REQUEST_SCHEME": "https"}, True),
        ({"REQUEST_SCHEME": "http"}, False),
        ({"REQUEST_SCHEME": "https", "HTTPS": ""}, True),
    ],
)
def test_https_is_there_when_it_is_on(said: dict[str, str], is_https: bool) -> None:
    assert ("HTTPS" in completed(**said)) == is_https


@pytest.mark.parametrize(
    ("said", "name", "port"),
    [
        ({"SERVER_NAME": "a.test", "SERVER_PORT": "81"}, "a.test", "81"),
        ({"SERVER_NAME": "a.test:8100", "SERVER_PORT": "8100"}, "a.test", "8100"),
        ({"SERVER_NAME": "[::1]:8100", "SERVER_PORT": "8100"}, "[::1]", "8100"),
        ({"SERVER_NAME": "[::1]", "SERVER_PORT": "81"}, "[::1]", "81"),
        ({"SERVER_NAME": "2001:db8::1", "SERVER_PORT": "81"}, "2001:db8::1", "81"),
        ({"SERVER_NAME": "_", "HTTP_HOST": "b.test"}, "b.test", "80"),
        ({"SERVER_NAME": "", "HTTP_HOST": "b.test:82"}, "b.test", "82"),
        ({"HTTP_HOST": "b.test:82"}, "b.test", "82"),
        ({"HTTP_HOST": "[::1]"}, "[::1]", "80"),
        ({"HTTP_HOST": "b.test:"}, "b.test", "80"),
        ({"HTTP_HOST": "b.test", "HTTPS": "on"}, "b.test", "443"),
        ({"SERVER_NAME": "_"}, "here", "80"),
        ({"SERVER_PORT": ""}, "here", "80"),
        ({"SERVER_PORT": "\xb2"}, "here", "80"),
    ],
)
def test_the_server_has_a_name_and_a_port(
    said: dict[str, str], name: str, port: str
) -> None:
    variables = completed(**said)
    assert (variables["SERVER_NAME"], variables["SERVER_PORT"]) == (name, port)


# ---- the length of a body


@pytest.mark.parametrize("said", ["", "-1"])
def test_a_length_that_is_not_known_is_removed(said: str) -> None:
    variables = {"CONTENT_LENGTH": said}
    assert read_length(variables, Limits()) is None
    assert variables == {}


def test_a_length_is_a_number_within_the_limit() -> None:
    assert read_length({"CONTENT_LENGTH": "007"}, Limits()) == 7
    assert read_length({"CONTENT_LENGTH": "9"}, Limits(body=9)) == 9
    assert read_length({"CONTENT_LENGTH": "9" * 18}, Limits(body=0)) == 10**18 - 1
    for said in ("x", "1.0", " 1", "-2", "\xb2", "1" * 19):
        with pytest.raises(ProtocolError, match="malformed CONTENT_LENGTH"):
            read_length({"CONTENT_LENGTH": said}, Limits())
    with pytest.raises(ProtocolError) as refused:
        read_length({"CONTENT_LENGTH": "10"}, Limits(body=9))
    assert refused.value.status == 413

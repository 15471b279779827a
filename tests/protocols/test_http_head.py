"""prefork.protocols.http_head: a head's parts together; more in test_http.py."""

from prefork.protocols.http_head import RequestHeads
from prefork.protocols.terms import Limits

HEAD = b"GET / HTTP/1.0\r\nA: b"


def test_keeps_the_variables_that_it_was_given() -> None:
    variables = {"REMOTE_ADDR": "192.0.2.1"}
    request = RequestHeads(Limits()).parse(HEAD, b"rest", variables)
    assert request.variables["REMOTE_ADDR"] == "192.0.2.1"
    assert request.rest == b"rest"


def test_what_one_request_does_to_its_variables_no_other_sees() -> None:
    heads = RequestHeads(Limits())
    first = heads.parse(HEAD, b"", {})
    first.variables.clear()
    assert heads.parse(HEAD, b"", {}).variables["HTTP_A"] == "b"

"""What a client asks for reaches the application, through each front end."""

import base64
import hashlib
import time
from collections.abc import Iterator

import pytest
from serving.front_end import FrontEnd

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]

STRANGER = "127.0.0.2"  # a client that prefork does not trust

PATHS = [  # path, PATH_INFO as latin-1
    ("/", "/"),
    ("/plain/path", "/plain/path"),
    ("/ends/in/a/slash/", "/ends/in/a/slash/"),
    ("/a%20b%25+1", "/a b%+1"),
    ("/%C3%BC", "/\xc3\xbc"),
    ("/semi;colon,comma:&=@!$'()*~", "/semi;colon,comma:&=@!$'()*~"),
    ("/file.php/more", "/file.php/more"),
    ("/long" + "x" * 4000, "/long" + "x" * 4000),
]
QUERIES = ["", "a=b", "x=1&y=%26&&", "a?b/c", "%C3%BC=+%20", "q=" + "x" * 2000]


def make_body(size: int) -> bytes:
    return (b"%07d\n" * (size // 8 + 1) % (*range(size // 8 + 1),))[:size]


def describe(body: bytes) -> dict[str, object]:
    return {"size": len(body), "md5": hashlib.md5(body).hexdigest()}


# ---- the target


def test_odd_paths_arrive_decoded_once(front: FrontEnd) -> None:
    for path, decoded in PATHS:
        told = front.get(path).json()
        assert told["PATH_INFO"] == decoded
        assert told["SCRIPT_NAME"] == ""


def test_a_path_need_not_be_utf_8(front: FrontEnd) -> None:
    assert front.get("/gr%FC%DFe").json()["PATH_INFO"] == "/gr\xfc\xdfe"


def test_dots_and_slashes_arrive_one_way_or_the_other(front: FrontEnd) -> None:
    """As they are, or resolved and merged, and a %2F as either: never decoded twice."""
    for path, forms in [
        ("/a/./b/../c", {"/a/./b/../c", "/a/c"}),
        ("//two//slashes", {"//two//slashes", "/two/slashes"}),
        ("/a%2Fb%252Fc", {"/a/b%2Fc", "/a%2Fb%2Fc", "/a%2Fb%252Fc"}),
    ]:
        assert front.get(path).json()["PATH_INFO"] in forms


def test_the_query_string_arrives_as_it_was_sent(front: FrontEnd) -> None:
    for query in QUERIES:
        told = front.get("/there" + "?" * bool(query) + query).json()
        assert told["QUERY_STRING"] == query
        assert told["REQUEST_URI"].partition("?")[2] == query


def test_the_target_arrives_as_it_was_sent(front: FrontEnd) -> None:
    target = "/a%2fb/./c//d?x=%26"
    assert front.get(target).json()["REQUEST_URI"] == target


# ---- the method


def test_methods_arrive(front: FrontEnd) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        body = b"" if method in ("POST", "PUT") else None
        told = front.ask(method, "/there", body=body).json()
        assert told["REQUEST_METHOD"] == method


def test_patch_arrives(front: FrontEnd) -> None:
    told = front.ask("PATCH", "/there", body=b"change").json()
    assert told["REQUEST_METHOD"] == "PATCH"
    assert told["body"] == describe(b"change")


# ---- the body


def test_a_body_arrives(front: FrontEnd) -> None:
    for size in (0, 1, 1000, 1 << 20):
        body = make_body(size)
        told = front.post("/there", body, ("Content-Type", "text/x-test")).json()
        assert told["body"] == describe(body)
        assert told["CONTENT_TYPE"] == "text/x-test"
        assert told.get("CONTENT_LENGTH", "0") == str(size)


def test_a_chunked_upload_arrives(front: FrontEnd) -> None:
    body = make_body(15_000)
    assert front.post("/there", in_pieces(body)).json()["body"] == describe(body)


def test_a_chunked_upload_of_nothing_arrives(front: FrontEnd) -> None:
    assert front.post("/there", iter(())).json()["body"] == describe(b"")


def test_a_large_chunked_upload_arrives(front: FrontEnd) -> None:
    body = make_body(300_000)
    assert front.post("/there", in_pieces(body)).json()["body"] == describe(body)


def in_pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + 7777] for at in range(0, len(body), 7777))


def test_a_slow_upload_arrives(front: FrontEnd) -> None:
    body = make_body(40_000)

    def trickle() -> Iterator[bytes]:
        for at in range(0, len(body), 10_000):
            time.sleep(0.1)
            yield body[at : at + 10_000]

    length = ("Content-Length", str(len(body)))
    assert front.post("/there", trickle(), length).json()["body"] == describe(body)


def test_a_client_that_waits_for_100_continue_gets_it(front: FrontEnd) -> None:
    with front.wire() as wire:
        wire.request(
            "/there", "Content-Length: 5", "Expect: 100-continue", method="PUT"
        )
        assert wire.read_answer(with_body=False).status == 100
        wire.send(b"hello")
        answer = wire.read_answer()
        if answer.status == 100:  # one more, from the one behind it
            answer = wire.read_answer()
    assert answer.status == 200
    assert describe(b"hello")["md5"].encode() in answer.body


# ---- header fields


def test_many_fields_arrive(front: FrontEnd) -> None:
    fields = [(f"X-Field-{number}", f"value {number}") for number in range(80)]
    told = front.get("/there", *fields).json()
    for number in range(80):
        assert told[f"HTTP_X_FIELD_{number}"] == f"value {number}"


def test_a_huge_field_arrives(front: FrontEnd) -> None:
    """Of 7000 bytes: all limits of all of them are at 8000."""
    value = "v" * 7000
    assert front.get("/there", ("X-Huge", value)).json()["HTTP_X_HUGE"] == value


def test_repeated_fields_arrive_joined(front: FrontEnd) -> None:
    fields = [("X-Twice", "1"), ("Accept", "a/b"), ("X-Twice", "2"), ("Accept", "c/d")]
    told = front.get("/there", *fields).json()
    assert told["HTTP_X_TWICE"].replace(" ", "") == "1,2"
    assert told["HTTP_ACCEPT"].replace(" ", "") == "a/b,c/d"


def test_repeated_cookies_arrive_as_one(front: FrontEnd) -> None:
    told = front.get("/there", ("Cookie", "a=1"), ("Cookie", "b=2")).json()
    assert told["HTTP_COOKIE"] == "a=1; b=2"


def test_latin_1_arrives(front: FrontEnd) -> None:
    told = front.get("/there", ("X-Latin", "gr\xfc\xdfe")).json()
    assert told["HTTP_X_LATIN"] == "gr\xfc\xdfe"


def test_credentials_arrive(front: FrontEnd) -> None:
    basic = "Basic " + base64.b64encode(b"user:word").decode()
    told = front.get("/there", ("Authorization", basic)).json()
    assert told["HTTP_AUTHORIZATION"] == basic


def test_length_and_type_have_one_name(front: FrontEnd) -> None:
    told = front.post("/there", b"x", ("Content-Type", "a/b")).json()
    assert not {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & {*told}


# ---- whom it is from


def test_the_application_hears_who_the_client_is(front: FrontEnd) -> None:
    host = ("Host", "example.org:8080")
    told = front.get("/there", host, source=STRANGER).json()
    assert told["REMOTE_ADDR"] == STRANGER
    assert told["HTTP_HOST"] in ("example.org:8080", "example.org")
    assert told["SERVER_PORT"].isdigit()
    assert told["SERVER_NAME"] and ":" not in told["SERVER_NAME"]
    assert "HTTPS" not in told


def test_a_client_cannot_lie_about_itself(front: FrontEnd) -> None:
    told = front.get(
        "/there",
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "evil"),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Ssl", "on"),
        ("Forwarded", "for=203.0.113.9;proto=https;host=evil"),
        source=STRANGER,
    ).json()
    assert told["REMOTE_ADDR"] == STRANGER
    assert "HTTPS" not in told
    assert not [name for name, value in told.items() if "evil" in value]
    assert told.get("HTTP_X_FORWARDED_SSL", "") == ""


def test_a_client_cannot_set_a_proxy(front: FrontEnd) -> None:
    """CVE-2016-5385."""
    told = front.get("/there", ("Proxy", "http://evil/")).json()
    assert "HTTP_PROXY" not in told

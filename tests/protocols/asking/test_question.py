"""A question: the fields and variables that nobody has to write."""

import pytest

from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import word


def test_names_the_host_and_the_length() -> None:
    question = Question(host="here:81", body=b"four", headers=[("Accept", "*/*")])
    assert question.fields == [
        ("Host", "here:81"),
        ("Content-Length", "4"),
        ("Accept", "*/*"),
    ]


def test_says_that_a_body_is_empty_where_there_might_be_one() -> None:
    for method, length in [("POST", "0"), ("PUT", "0"), ("GET", None), ("HEAD", None)]:
        question = Question(method=method)
        assert dict(question.fields).get("Content-Length") == length
        assert question.meta_variables.get("CONTENT_LENGTH") == length


@pytest.mark.parametrize(
    "field", [("content-length", "9"), ("Transfer-Encoding", "chunked")]
)
def test_what_is_written_is_not_said_again(field: tuple[str, str]) -> None:
    question = Question(headers=[("HOST", "there"), field], body=b"four")
    assert question.fields == [("HOST", "there"), field]


@pytest.mark.parametrize(
    ("target", "script_name", "path_info"),
    [
        ("/", "", "/"),
        ("/a%20b?c%20d", "", "/a b"),
        ("/app/x", "/app", "/x"),
        ("/app", "/app", ""),
        ("/apple", "/app", ""),
        ("/blog/post", "/index.php", ""),
    ],
)
def test_splits_the_path_at_the_script(
    target: str, script_name: str, path_info: str
) -> None:
    variables = Question(target=target, script_name=script_name).meta_variables
    assert variables["SCRIPT_NAME"] == script_name
    assert variables["PATH_INFO"] == path_info
    assert variables["REQUEST_URI"] == target


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("localhost", "localhost", "80"),
        ("localhost:8000", "localhost", "8000"),
        ("[::1]:8000", "[::1]", "8000"),
        ("[::1]", "[::1]", "80"),
    ],
)
def test_takes_name_and_port_from_the_host(host: str, name: str, port: str) -> None:
    variables = Question(host=host).meta_variables
    assert (variables["SERVER_NAME"], variables["SERVER_PORT"]) == (name, port)


def test_makes_variables_of_fields_and_joins_those_of_one_name() -> None:
    headers = [("X-A", "1"), ("x-a", "2"), ("Content-Type", "text/plain")]
    variables = Question(headers=headers).meta_variables
    assert variables["HTTP_X_A"] == "1, 2"
    assert variables["CONTENT_TYPE"] == "text/plain"
    assert "HTTP_CONTENT_TYPE" not in variables


def test_what_is_said_of_variables_wins() -> None:
    question = Question(variables={"SERVER_NAME": "x", "REMOTE_USER": "fred"})
    assert question.meta_variables["SERVER_NAME"] == "x"
    assert question.meta_variables["REMOTE_USER"] == "fred"


@pytest.mark.parametrize(("protocol", "size"), [("uwsgi", 70_000), ("ajp", 9000)])
def test_what_has_no_room_is_refused(protocol: str, size: int) -> None:
    question = Question(headers=[("X", "x" * size)])
    with pytest.raises(ValueError, match="has room for"):
        next(word(protocol, question))


def test_fastcgi_has_room_for_more_than_a_record() -> None:
    question = Question(headers=[("X", "x" * 200_000)])
    assert len(next(word("fastcgi", question))) > 200_000

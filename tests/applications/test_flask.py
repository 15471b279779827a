"""Flask under four workers, and the clients that people use."""

import hashlib
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from serving import Server

pytestmark = pytest.mark.process


@pytest.fixture
def site(server: Server) -> str:
    """The address of the site."""
    server.start("-w", "4", app="flask_site:site")
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ünï code.bin"
    path.write_bytes(os.urandom(3_000_000))
    return path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_form_is_posted_and_the_session_remembers(
    site: str, browser: requests.Session
) -> None:
    assert browser.get(f"{site}/").text == "hello stranger\n"
    for name in ("ada", "grace", "ünï & co"):
        response = browser.post(f"{site}/form", data={"name": name})
        assert [r.status_code for r in response.history] == [302]
        assert response.text == f"hello {name}\n"
    assert browser.get(f"{site}/about").json()["session"]["count"] == 3


def test_a_file_is_uploaded(site: str, browser: requests.Session, file: Path) -> None:
    with file.open("rb") as contents:
        response = browser.post(
            f"{site}/upload", files={"file": ("a.bin", contents)}, data={"note": "é"}
        )
    assert response.json() == {
        "name": "a.bin",
        "sha256": digest(file.read_bytes()),
        "note": "é",
    }


def test_a_body_of_unknown_length_is_uploaded(
    site: str, browser: requests.Session, file: Path
) -> None:
    contents = file.read_bytes()
    pieces = (contents[at : at + 10_000] for at in range(0, len(contents), 10_000))
    response = browser.post(f"{site}/body", data=pieces)
    assert response.json() == {"size": len(contents), "sha256": digest(contents)}


def test_a_file_is_downloaded_whole_in_part_or_not_again(
    site: str, browser: requests.Session, file: Path
) -> None:
    contents = file.read_bytes()
    whole = browser.get(f"{site}/download", params={"path": str(file)})
    assert whole.content == contents
    part = browser.get(whole.url, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, contents[1000:2000])
    tag = {"If-None-Match": whole.headers["ETag"]}
    unchanged = browser.get(whole.url, headers=tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = browser.head(whole.url)
    assert head.headers["Content-Length"] == str(len(contents))


def test_a_stream_arrives_line_by_line(site: str, browser: requests.Session) -> None:
    response = browser.get(f"{site}/stream", stream=True)
    assert response.headers["Transfer-Encoding"] == "chunked"
    lines = [line for line in response.iter_lines(decode_unicode=True) if line]
    assert lines == [f"line {number}" for number in range(1000)]


def test_addresses_arrive_as_they_were_meant(
    site: str, browser: requests.Session
) -> None:
    address = f"{site}/about?a=1&a=%20%2B&b=ü"
    about = browser.get(address, cookies={"one": "1", "two": "2"}).json()
    assert about["url"] == address
    assert about["args"] == {"a": ["1", " +"], "b": ["ü"]}
    assert about["cookies"] == {"one": "1", "two": "2"}
    assert about["remote"] == "127.0.0.1"
    assert browser.get(f"{site}/ünï/a%2Fb//c").text == "a/b//c"
    assert browser.get(f"{site}/nowhere").status_code == 404


def test_its_errors_are_answered_or_seen(
    site: str, server: Server, browser: requests.Session
) -> None:
    assert browser.get(f"{site}/fail").status_code == 500
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        browser.get(f"{site}/fail-late")
    assert browser.get(f"{site}/").status_code == 200
    assert "failed on purpose" in server.log


def test_many_browsers_at_once_each_have_their_own_session(site: str) -> None:
    def visit(number: int) -> set[int]:
        pids = set()
        with requests.Session() as browser:
            browser.trust_env = False
            for count in range(1, 11):
                browser.post(f"{site}/form", data={"name": f"browser {number}"})
                about = browser.get(f"{site}/about").json()
                assert about["session"] == {"name": f"browser {number}", "count": count}
                pids.add(about["pid"])
        return pids

    pids: set[int] = set()
    with ThreadPoolExecutor(16) as pool:
        for _ in range(20):  # a worker may sleep while all of them come
            pids = pids.union(*pool.map(visit, range(16)))
            if len(pids) == 4:
                return
    raise AssertionError(f"only {pids} have served")


def test_http_client_keeps_its_connection(site: str, server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    sockets = set()
    for number in range(10):
        connection.request("PUT", "/body", b"x" * number)
        response = connection.getresponse()
        assert json.loads(response.read())["size"] == number
        sockets.add(connection.sock.getsockname())
    connection.close()
    assert len(sockets) == 1


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")


def curl(*arguments: str) -> bytes:
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "30", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


@needs_curl
@pytest.mark.frontend
def test_curl_uploads_in_each_of_its_ways(site: str, file: Path) -> None:
    """A large body makes curl wait for a 100, which it gets."""
    expected = {"size": 3_000_000, "sha256": digest(file.read_bytes())}
    upload = ("-T", str(file), f"{site}/body")
    assert json.loads(curl(*upload)) == expected
    assert json.loads(curl("-H", "Expect: 100-continue", *upload)) == expected
    assert json.loads(curl("-H", "Transfer-Encoding: chunked", *upload)) == expected
    form = curl("-F", f"file=@{file};filename=a", "-F", "note=b", f"{site}/upload")
    assert json.loads(form) == {"name": "a", "sha256": expected["sha256"], "note": "b"}


@needs_curl
@pytest.mark.frontend
def test_curl_downloads_over_one_connection_and_over_http_1_0(
    site: str, file: Path
) -> None:
    address = f"{site}/download?path={quote(str(file))}"
    contents = file.read_bytes()
    assert curl(address, address, "-w", "%{stderr}%{num_connects}") == contents * 2
    assert curl("--http1.0", address) == contents
    assert curl("-I", address).startswith(b"HTTP/1.1 200 OK\r\n")
    assert curl("-r", "5-9", address) == contents[5:10]

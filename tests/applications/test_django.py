"""Django under four workers: its forms, sessions and files."""

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from serving import Server

pytestmark = pytest.mark.process


@pytest.fixture
def site(server: Server) -> str:
    """The address of the site."""
    server.start("-w", "4", app="django_site:application")
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(params=[50_000, 3_000_000], ids=["small", "large"])
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "a file.bin"
    path.write_bytes(os.urandom(request.param))
    return path


def token(browser: requests.Session, address: str) -> dict[str, str]:
    """What the form at an address hides, against forgeries."""
    page = browser.get(address).text
    match = re.search(r'name="(csrfmiddlewaretoken)" value="(\w+)"', page)
    assert match
    return {match[1]: match[2]}


def introduce(browser: requests.Session, site: str, name: str) -> requests.Response:
    form = token(browser, f"{site}/name")
    return browser.post(f"{site}/name", data={"name": name, **form})


def test_a_form_is_posted_and_the_session_remembers(
    site: str, browser: requests.Session
) -> None:
    assert browser.get(f"{site}/").text == "hello stranger\n"
    for name in ("ada", "grace", "ünï & co"):
        assert introduce(browser, site, name).text == f"hello {name}\n"
    assert browser.get(f"{site}/about").json()["session"]["count"] == 3


def test_a_forged_form_is_refused_and_its_body_harms_nobody(
    site: str, browser: requests.Session
) -> None:
    """The answer comes before the body has been read."""
    for size in (10, 1_000_000):
        response = browser.post(f"{site}/name", data={"name": "x" * size})
        assert response.status_code == 403
        assert browser.get(f"{site}/").text == "hello stranger\n"


def test_a_file_is_uploaded(site: str, browser: requests.Session, file: Path) -> None:
    form = token(browser, f"{site}/upload")
    with file.open("rb") as contents:
        response = browser.post(
            f"{site}/upload", data=form, files={"file": ("a.bin", contents)}
        )
    assert response.json() == {
        "name": "a.bin",
        "size": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def test_a_file_is_downloaded(site: str, browser: requests.Session, file: Path) -> None:
    for _ in range(3):
        response = browser.get(f"{site}/download", params={"path": str(file)})
        assert response.headers["Content-Length"] == str(file.stat().st_size)
        assert response.content == file.read_bytes()


def test_a_stream_arrives_line_by_line(site: str, browser: requests.Session) -> None:
    response = browser.get(f"{site}/stream", stream=True)
    assert "Content-Length" not in response.headers
    assert [*response.iter_lines()] == [b"line %d" % number for number in range(1000)]


def test_addresses_arrive_as_they_were_meant(
    site: str, browser: requests.Session
) -> None:
    address = f"{site}/about?a=1&b=%C3%BC"
    assert browser.get(address).json()["address"] == address
    assert browser.get(f"{site}/nowhere").status_code == 404


def test_an_error_is_answered_and_logged_as_the_site_wants_it(
    site: str, server: Server, browser: requests.Session
) -> None:
    assert browser.get(f"{site}/fail").status_code == 500
    assert browser.get(f"{site}/").status_code == 200
    assert "failed on purpose" in server.log


def test_many_browsers_at_once_each_have_their_own_session(site: str) -> None:
    def visit(number: int) -> set[int]:
        pids = set()
        with requests.Session() as browser:
            browser.trust_env = False
            for count in range(1, 6):
                introduce(browser, site, f"browser {number}")
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

"""CGI programs that people run: cgit, gitweb, hgweb, and one of Perl's CGI.pm."""

import http.client
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from serving import Server

CGIT = "/usr/lib/cgit/cgit.cgi"
GITWEB = "/usr/share/gitweb/gitweb.cgi"
PYTHON = "/usr/bin/python3"

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.counterpart]

Serve = Callable[..., Server]
Write = Callable[..., Path]


def need(is_here: object, name: str) -> None:
    if not is_here:
        pytest.skip(f"{name} is not installed")


def run(*words: object, home: Path, at: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=at or home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "HGUSER": "a",
            "HGRCPATH": "",
            **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "a@b" for who in ("AUTHOR", "COMMITTER")},
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """`repo.git`, with one file."""
    root = tmp_path / "repositories"
    root.mkdir()
    run("git", "init", "-q", "-b", "main", "copy", home=root)
    (root / "copy" / "hello.txt").write_text("hello from a file\n")
    run("git", "add", ".", home=root, at=root / "copy")
    run("git", "commit", "-qm", "the first of all", home=root, at=root / "copy")
    run("git", "clone", "-q", "--bare", "copy", "repo.git", home=root)
    shutil.rmtree(root / "copy")
    return root


def test_cgit(serve: Serve, repositories: Path, tmp_path: Path) -> None:
    need(os.path.exists(CGIT), "cgit")
    settings = tmp_path / "cgitrc"
    settings.write_text(f"virtual-root=/\nscan-path={repositories}\n")
    server = serve("-w", "2", "-e", f"CGIT_CONFIG={settings}", app=CGIT)
    assert b"repo.git" in server.get("/")[1]
    assert b"the first of all" in server.get("/repo.git/log/")[1]
    assert server.get("/repo.git/plain/hello.txt") == (200, b"hello from a file\n")
    assert server.get("/nothing.git/log/")[0] == 404


def test_gitweb(serve: Serve, repositories: Path, tmp_path: Path) -> None:
    need(os.path.exists(GITWEB), "gitweb")
    settings = tmp_path / "gitweb.conf"
    settings.write_text(f'our $projectroot = "{repositories}";\n1;\n')
    server = serve("-w", "2", "-e", f"GITWEB_CONFIG={settings}", app=GITWEB)
    assert b"repo.git" in server.get("/")[1]
    assert b"the first of all" in server.get("/?p=repo.git;a=shortlog")[1]
    target = "/?p=repo.git;a=blob_plain;f=hello.txt"
    assert server.get(target) == (200, b"hello from a file\n")
    assert server.get("/?p=nothing.git")[0] == 404


def test_hgweb(serve: Serve, site: Path, tmp_path: Path) -> None:
    """Served by name below a directory, cloned and pushed to."""
    need(shutil.which("hg"), "mercurial")
    root = tmp_path / "hg"
    run("hg", "init", root, home=tmp_path)
    (root / ".hg" / "hgrc").write_text("[web]\npush_ssl = false\nallow-push = *\n")
    program = site / "hg"
    program.write_text(
        f"#!{PYTHON}\n"
        "from mercurial.hgweb import hgweb, wsgicgi\n"
        f"wsgicgi.launch(hgweb({str(root).encode()!r}))\n"
    )
    program.chmod(0o755)
    server = serve("-w", "2")
    url, copy = f"http://127.0.0.1:{server.port}/hg", tmp_path / "copy"
    run("hg", "clone", url, copy, home=tmp_path)
    (copy / "big").write_bytes(os.urandom(2_000_000))
    run("hg", "commit", "-A", "-m", "the first of all", home=tmp_path, at=copy)
    run("hg", "push", url, home=tmp_path, at=copy)
    assert b"the first of all" in server.get("/hg/shortlog")[1]
    run("hg", "clone", url, tmp_path / "other", home=tmp_path)
    assert (tmp_path / "other" / "big").read_bytes() == (copy / "big").read_bytes()


PERL = r"""#!/usr/bin/perl
use strict; use warnings; use CGI;
my $q = CGI->new;
if ($q->param('go')) { print $q->redirect('http://example.org/there'); exit; }
my $file = $q->upload('file');
my $size = 0;
if ($file) {
    binmode $file;
    while (read $file, my $piece, 65536) { $size += length $piece }
}
print $q->header(-type => 'text/plain', -charset => 'utf-8', -cookie =>
    $q->cookie(-name => 'seen', -value => $q->cookie('seen') // 'never'));
print join('|', $q->request_method, $q->path_info, $q->param('name') // '',
    $size, $q->self_url), "\n";
"""


@pytest.fixture
def perl(serve: Serve, site: Path) -> Server:
    is_here = subprocess.run(["perl", "-MCGI", "-e1"], capture_output=True)
    need(not is_here.returncode, "libcgi-pm-perl")
    (site / "form.pl").write_text(PERL)
    (site / "form.pl").chmod(0o755)
    return serve("-w", "1")


def test_a_form_of_perl(perl: Server) -> None:
    status, body = perl.get("/form.pl/a/b?name=x%20y;z=1", Cookie="seen=before")
    url = f"http://127.0.0.1:{perl.port}/form.pl/a/b?name=x%20y;z=1"
    assert (status, body.decode()) == (200, f"GET|/a/b|x y|0|{url}\n")
    with closing(http.client.HTTPConnection("127.0.0.1", perl.port)) as client:
        client.request("GET", "/form.pl?go=1")
        response = client.getresponse()
    assert response.status == 302
    assert response.headers["Location"] == "http://example.org/there"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_file_that_is_uploaded_to_perl(perl: Server, is_chunked: bool) -> None:
    """CGI.pm reads as much as CONTENT_LENGTH says."""
    head = 'Content-Disposition: form-data; name="file"; filename="f"'
    body = b"--limit\r\n%s\r\n\r\n%s\r\n--limit--\r\n" % (head.encode(), b"x" * 500_000)
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    with closing(http.client.HTTPConnection("127.0.0.1", perl.port)) as client:
        if is_chunked:
            client.request("POST", "/form.pl", iter([body]), kind, encode_chunked=True)
        else:
            client.request("POST", "/form.pl", body, kind)
        assert b"|500000|" in client.getresponse().read()


def test_a_script_of_the_shell(serve: Serve, site: Path) -> None:
    program = site / "form.sh"
    program.write_text(
        "#!/bin/sh\n"
        "read -r line\n"
        "printf 'Status: 201 Created\\r\\nContent-Type: text/plain\\r\\n\\r\\n'\n"
        'echo "$REQUEST_METHOD $CONTENT_TYPE $CONTENT_LENGTH $line"\n'
    )
    program.chmod(0o755)
    server = serve("-w", "1")
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
        client.request("POST", "/form.sh", "a=b\n", {"Content-Type": "x/y"})
        response = client.getresponse()
        assert (response.status, response.reason) == (201, "Created")
        assert response.read() == b"POST x/y 4 a=b\n"

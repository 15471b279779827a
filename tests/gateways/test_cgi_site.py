"""prefork.gateways.cgi_site: which program is meant, and which must not be run."""

from pathlib import Path

import pytest

from prefork.errors import ConfigError, ProtocolError
from prefork.gateways.cgi_site import Site, Wrap, split_at


def make(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def ask(path: str, *, name: str = "", **more: str) -> dict[str, str]:
    return {"SCRIPT_NAME": name, "PATH_INFO": path, **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    make(root / "a.cgi")
    make(root / "sub" / "b.cgi")
    make(tmp_path / "outside" / "c.cgi")
    return root


# ---- a directory


@pytest.mark.parametrize(
    ("path", "file", "name", "rest"),
    [
        ("/a.cgi", "a.cgi", "/app/a.cgi", ""),
        ("/a.cgi/x/y", "a.cgi", "/app/a.cgi", "/x/y"),
        ("/a.cgi//x/", "a.cgi", "/app/a.cgi", "//x/"),
        ("/sub/b.cgi/a.cgi", "sub/b.cgi", "/app/sub/b.cgi", "/a.cgi"),
    ],
)
def test_the_first_file_of_the_path_is_the_program(
    root: Path, path: str, file: str, name: str, rest: str
) -> None:
    target = Site(str(root)).find(ask(path, name="/app"))
    assert (target.file, target.script_name) == (f"{root}/{file}", name)
    assert (target.path_info, target.document_root) == (rest, str(root))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 403),
        ("/", 403),
        ("/sub", 403),
        ("/sub/", 403),
        ("//a.cgi", 403),
        ("/sub/../a.cgi", 403),
        ("/./a.cgi", 403),
        ("/a.cgi/../x", 403),
        ("a.cgi", 400),
        ("/a.cgi\0", 400),
        ("/b.cgi", 404),
        ("/" + "x" * 300, 404),
    ],
)
def test_other_paths_are_refused(root: Path, path: str, status: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        Site(str(root)).find(ask(path))
    assert caught.value.status == status


def test_a_link_may_lead_to_where_it_is_allowed(root: Path, tmp_path: Path) -> None:
    (root / "in.cgi").symlink_to(root / "sub" / "b.cgi")
    (root / "out.cgi").symlink_to(tmp_path / "outside" / "c.cgi")
    (root / "elsewhere").symlink_to(tmp_path / "outside")
    site = Site(str(root))
    assert site.find(ask("/in.cgi")).file == f"{root}/in.cgi"
    for path in ("/out.cgi", "/elsewhere/c.cgi"):
        with pytest.raises(ProtocolError, match="not among the allowed"):
            site.find(ask(path))
        allowing = Site(str(root), [str(tmp_path / "outside")])
        assert allowing.find(ask(path)).file == f"{root}{path}"


def test_a_program_that_was_allowed_is_looked_at_again_when_it_changes(
    root: Path, tmp_path: Path
) -> None:
    site = Site(str(root))
    assert site.find(ask("/a.cgi"))
    (root / "a.cgi").chmod(0o644)
    with pytest.raises(ProtocolError, match="not executable"):
        site.find(ask("/a.cgi"))
    (root / "a.cgi").unlink()
    (root / "a.cgi").symlink_to(tmp_path / "outside" / "c.cgi")
    with pytest.raises(ProtocolError, match="not among the allowed"):
        site.find(ask("/a.cgi"))


def test_a_circle_of_links_ends(root: Path) -> None:
    (root / "again").symlink_to(root)
    with pytest.raises(ProtocolError):
        Site(str(root)).find(ask("/again" * 500 + "/a.cgi"))


# ---- a single program


def test_a_program_has_every_path(root: Path) -> None:
    target = Site(str(root / "a.cgi")).find(ask("/x/y", name="/app"))
    assert (target.file, target.script_name) == (f"{root}/a.cgi", "/app")
    assert target.path_info == "/x/y"
    with pytest.raises(ProtocolError):
        Site(str(root / "a.cgi")).find(ask("/x/../y"))


def test_what_cannot_be_served_is_said_at_the_start(root: Path) -> None:
    make(root / "plain", mode=0o644)
    for place, reason in [("nothing", "No such file"), ("plain", "not executable")]:
        with pytest.raises(ConfigError, match=reason):
            Site(str(root / place))
    with pytest.raises(ConfigError, match="No such file"):
        Wrap([str(root / "nothing")])


# ---- named by the front end


@pytest.mark.parametrize("before", ["", "proxy:fcgi://cgi", "proxy:fcgi://cgi/"])
def test_script_filename_names_the_program(root: Path, before: str) -> None:
    """Apache says how it came to us as well."""
    file = f"{before}{root}/a.cgi"
    variables = ask("/x", name="/cgi/a.cgi", SCRIPT_FILENAME=file)
    target = Wrap([]).find(variables)
    assert (target.file, target.script_name) == (f"{root}/a.cgi", "/cgi/a.cgi")
    assert (target.path_info, target.document_root) == ("/x", str(root))


def test_document_root_is_walked(root: Path) -> None:
    target = Wrap([]).find(ask("/b.cgi/x", name="/sub", DOCUMENT_ROOT=str(root)))
    assert (target.file, target.script_name) == (f"{root}/sub/b.cgi", "/sub/b.cgi")
    assert target.path_info == "/x"


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({}, 403),
        ({"DOCUMENT_ROOT": "relative"}, 403),
        ({"SCRIPT_FILENAME": "/no/such"}, 404),
        ({"SCRIPT_FILENAME": "relative"}, 400),
        ({"SCRIPT_FILENAME": "/usr/../etc/passwd"}, 403),
        ({"SCRIPT_FILENAME": "/etc/passwd"}, 403),
        ({"SCRIPT_FILENAME": "/tmp"}, 403),
    ],
)
def test_what_is_no_program_is_refused(variables: dict[str, str], status: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        Wrap([]).find(ask("/", **variables))
    assert caught.value.status == status


def test_only_the_allowed_are_run(root: Path, tmp_path: Path) -> None:
    (root / "out.cgi").symlink_to(tmp_path / "outside" / "c.cgi")
    make(tmp_path / "root-and-more" / "d.cgi")
    wrap = Wrap([str(root), "/bin/true"])
    for file in (f"{root}/a.cgi", f"{root}/sub/b.cgi", "/bin/true"):
        assert wrap.find(ask("/", SCRIPT_FILENAME=file)).file == file
    for file in (f"{root}/out.cgi", f"{tmp_path}/root-and-more/d.cgi", "/bin/false"):
        with pytest.raises(ProtocolError, match="not among the allowed"):
            wrap.find(ask("/", SCRIPT_FILENAME=file))
    outside = ask("/c.cgi", DOCUMENT_ROOT=str(tmp_path / "outside"))
    with pytest.raises(ProtocolError, match="not among the allowed"):
        wrap.find(outside)


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        ("", "/cgi/a.cgi", ("/cgi/a.cgi", "")),
        ("", "/cgi/a.cgi/x/a.cgi", ("/cgi/a.cgi", "/x/a.cgi")),
        ("", "/repository/a.cgi-like", ("", "/repository/a.cgi-like")),
        ("/cgi/a.cgi", "/x", ("/cgi/a.cgi", "/x")),
    ],
)
def test_a_path_that_is_said_whole_is_split_at_the_program(
    name: str, path: str, wanted: tuple[str, str]
) -> None:
    assert split_at("/usr/lib/cgi/a.cgi", name, path) == wanted

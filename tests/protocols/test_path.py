"""Paths: what is decoded, what is resolved, and where an application begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.protocols.path import (
    apply_prefix,
    decode_percent,
    encode_path,
    resolve_dots,
)

LATIN = st.text(st.characters(max_codepoint=255))


@given(LATIN)
def test_what_is_encoded_decodes_to_what_it_was(path: str) -> None:
    encoded = encode_path(path)
    assert encoded.isascii() and encoded.isprintable()
    assert decode_percent(encoded) == path


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a///b//", "/a/b/"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/../../a", "/a"),
        ("/..", "/"),
        ("/.a/..b/c..", "/.a/..b/c.."),
        ("/", "/"),
        ("//", "/"),
    ],
)
def test_dots_are_resolved_as_a_browser_would(path: str, resolved: str) -> None:
    assert resolve_dots(path) == resolved


@given(st.text("/.ab"))
def test_resolved_once_is_resolved_for_good(path: str) -> None:
    once = resolve_dots("/" + path)
    assert resolve_dots(once) == once
    assert not {"..", "."} & {*once.split("/")}
    assert "//" not in once


@pytest.mark.parametrize(
    ("path", "name_and_rest"),
    [
        ("/app/x", ("/app", "/x")),
        ("/app", ("/app", "")),
        ("/app/", ("/app", "/")),
        ("/apple", ("/app", "/apple")),
        ("/x/app/y", ("/app", "/x/app/y")),
        ("/app/app", ("/app", "/app")),
        ("", ("/app", "")),
    ],
)
def test_a_prefix_is_taken_off_where_it_is(
    path: str, name_and_rest: tuple[str, str]
) -> None:
    assert apply_prefix("/app", path) == name_and_rest

"""What the README shows of web servers is what contrib/ has, and the tests run."""

import re
from pathlib import Path

import pytest
from serving.makes import MAKES

ROOT = Path(__file__).parents[1]
CHAPTER = re.search(
    r"(?ms)^## Behind a web server$(.*?)^## ", (ROOT / "README.md").read_text()
)[1]


def essence(text: str) -> str:
    """Without comments, empty lines and indentation."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_one_snippet_of_each_is_shown_as_it_is(make) -> None:
    (shown,) = re.findall(rf"(?ms)^```{make.name}\n(.*?)^```$", CHAPTER)
    assert essence(shown) in essence(make.snippet("fastcgi").read_text())


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_the_table_names_every_snippet_of_each(make) -> None:
    (row,) = re.findall(rf"(?mi)^\| {make.name} \|.*$", CHAPTER)
    named = re.findall(r"\((contrib/.*?)\)", row)
    snippets = [make.snippet(each) for each in make.protocols]
    assert named == [str(path.relative_to(ROOT)) for path in snippets]

"""lighttpd: all five protocols, with an AJP of its own kind."""

import re
from pathlib import Path

from serving.make import ONE_REQUEST, Make

AROUND = """
server.modules = ()
server.document-root = "{directory}"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ( "{directory}" )
{snippet}
"""


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    words = re.compile(r'"socket" => "/run/prefork/prefork\.sock"')
    assert words.search(snippet)
    if place.startswith("unix:"):
        there = f'"socket" => "{place.removeprefix("unix:")}"'
    else:
        host, _, number = place.rpartition(":")
        there = f'"host" => "{host}", "port" => {number}'
    return AROUND.format(
        directory=directory, port=port, snippet=words.sub(there, snippet)
    )


LIGHTTPD = Make(
    name="lighttpd",
    program="lighttpd",
    protocols=("http", "fastcgi", "scgi", "uwsgi", "ajp"),
    suffix="conf",
    configure=configure,
    command=lambda directory, path: ["lighttpd", "-D", "-f", str(path)],
    # Of AJP nothing: lighttpd would say the prefix, and no path.
    below={r'(proxy|fastcgi|scgi)\.server = \( "/?"': r'\1.server = ( "/app"'},
    spared=(
        "connections_are_kept",
        "an_error_after_the_head_is_seen_by_the_client",
    ),
    lacks={
        "connections_are_kept": {"http fastcgi scgi uwsgi ajp": ONE_REQUEST},
        "a_path_need_not_be_utf_8": {"http fastcgi scgi uwsgi ajp": "refuses it: 400"},
        "the_target_arrives_as_it_was_sent": {"http ajp": "says it in a normal form"},
        "an_error_after_the_head_is_seen_by_the_client": {
            "http fastcgi scgi uwsgi ajp": "may take half an answer for a whole one"
        },
        "patch_arrives": {"ajp": "knows no such method: 400"},
    },
)

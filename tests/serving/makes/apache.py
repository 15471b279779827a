"""Apache httpd, by its event MPM: all five protocols."""

import re
from pathlib import Path

from serving.make import (
    COMMA,
    NO_END,
    NO_LENGTH,
    ONE_REQUEST,
    Make,
    replace,
)

# Where the end comes with the beginning, and that is for the moment to decide.
COUNTS = "says itself how long an answer is that it has whole"
# A connection is closed behind such an answer, and taken for alive.
IN_THAT_MOMENT = "sends the next request to a connection that is being closed"

MODULES = """
    mpm_event authz_core env headers setenvif
    proxy proxy_http proxy_fcgi proxy_scgi proxy_uwsgi proxy_ajp
"""
AROUND = """
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
Mutex file:{directory} default
{modules}
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
MinSpareThreads 1
MaxSpareThreads 16
ErrorLog /dev/stderr
LogLevel info
Listen 127.0.0.1:{port}
{snippet}
"""


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    snippet = replace(snippet, "<VirtualHost *:80>", f"<VirtualHost *:{port}>")
    # The name of a worker when it is a socket, its address when it is a port.
    words = re.compile(r"unix:/run/prefork/prefork\.sock\|(\w+)://prefork")
    assert words.search(snippet)
    if place.startswith("unix:"):
        snippet = words.sub(rf"{place}|\1://prefork", snippet)
    else:
        snippet = words.sub(rf"\1://{place}", snippet)
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in MODULES.split()
    )
    return AROUND.format(
        directory=directory, modules=modules, port=port, snippet=snippet
    )


APACHE = Make(
    name="apache",
    program="apache2",
    protocols=("http", "fastcgi", "scgi", "uwsgi", "ajp"),
    suffix="conf",
    configure=configure,
    command=lambda directory, path: [
        *("apache2", "-f", str(path), "-d", str(directory), "-DFOREGROUND")
    ],
    spared=(
        "connections_are_kept",
        "a_body_that_is_too_long_is_a_413",
        "an_error_after_the_head_is_seen_by_the_client",
        "an_answer_that_is_too_short_is_seen_by_the_client",
    ),
    below={r'"/" "(unix.*//prefork)/"': r'"/app" "\1/app"'},
    lacks={
        "connections_are_kept": {"scgi uwsgi": ONE_REQUEST},
        "a_body_that_is_too_long_is_a_413": {"fastcgi": IN_THAT_MOMENT},
        "repeated_cookies_arrive_as_one": {"http fastcgi scgi uwsgi ajp": COMMA},
        "a_chunked_upload_arrives": {"scgi uwsgi": NO_LENGTH},
        "a_chunked_upload_of_nothing_arrives": {"scgi uwsgi": NO_LENGTH},
        "a_large_chunked_upload_arrives": {"scgi uwsgi": NO_LENGTH},
        "an_error_after_the_head_is_seen_by_the_client": {"scgi uwsgi": NO_END},
        "an_answer_that_is_too_short_is_seen_by_the_client": {"scgi uwsgi": COUNTS},
    },
)

"""HAProxy: HTTP and FastCGI."""

from pathlib import Path

from serving.make import Make, replace

AROUND = """
global
    log stderr local0 info
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
{snippet}
"""

A_302 = "makes a 302 of every redirect"


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    place = place.replace("unix:", "unix@")
    snippet = replace(snippet, "unix@/run/prefork/prefork.sock", place)
    snippet = replace(snippet, "bind :80", f"bind 127.0.0.1:{port}")
    return AROUND.format(snippet=snippet)


HAPROXY = Make(
    name="haproxy",
    program="haproxy",
    protocols=("http", "fastcgi"),
    suffix="cfg",
    configure=configure,
    command=lambda directory, path: ["haproxy", "-db", "-f", str(path)],
    below={"default_backend prefork": "use_backend prefork if { path_beg /app }"},
    spared=("a_chunked_upload_of_nothing_arrives",),
    lacks={
        "a_redirect_is_the_clients_to_follow": {"fastcgi": A_302},
        "a_303_stays_a_303": {"fastcgi": A_302},
        "credentials_arrive": {"fastcgi": "keeps them to itself"},
        "a_large_chunked_upload_arrives": {"fastcgi": "wants it to fit a buffer: 400"},
        "a_chunked_upload_of_nothing_arrives": {"fastcgi": "never sends its end"},
    },
)

"""Caddy: HTTP and FastCGI."""

from pathlib import Path

from serving.make import COMMA, ONE_REQUEST, Make, replace

AROUND = """
{{
	admin off
	auto_https off
	default_bind 127.0.0.1
}}
{snippet}
"""


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    place = place.replace("unix:", "unix/")
    snippet = replace(snippet, "unix//run/prefork/prefork.sock", place)
    snippet = replace(snippet, "\n:80 {", f"\n:{port} {{")
    return AROUND.format(snippet=snippet)


CADDY = Make(
    name="caddy",
    program="caddy",
    protocols=("http", "fastcgi"),
    suffix="caddy",
    configure=configure,
    command=lambda directory, path: [
        *("caddy", "run", "--config", str(path), "--adapter", "caddyfile")
    ],
    below={"reverse_proxy unix": "reverse_proxy /app* unix"},
    spared=("connections_are_kept",),
    lacks={
        "connections_are_kept": {"fastcgi": ONE_REQUEST},
        "repeated_cookies_arrive_as_one": {"fastcgi": COMMA},
        "an_error_after_the_head_is_seen_by_the_client": {
            "http fastcgi": "ends every answer as if it were whole"
        },
    },
)

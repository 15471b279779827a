"""nginx: everything but AJP."""

from pathlib import Path

from serving.make import NO_END, ONE_REQUEST, Make, replace

AROUND = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr info;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    {snippet}
}}
"""


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    snippet = replace(snippet, "unix:/run/prefork/prefork.sock", place)
    snippet = replace(snippet, "listen 80;", f"listen 127.0.0.1:{port};")
    for name in ("fastcgi", "scgi", "uwsgi"):
        stock = f"/etc/nginx/{name}_params"  # beside the configuration, usually
        snippet = snippet.replace(f"include {name}_params;", f"include {stock};")
    return AROUND.format(directory=directory, snippet=snippet)


NGINX = Make(
    name="nginx",
    program="nginx",
    protocols=("http", "fastcgi", "scgi", "uwsgi"),
    suffix="conf",
    configure=configure,
    command=lambda directory, path: [
        *("nginx", "-c", str(path), "-p", str(directory), "-e", "stderr")
    ],
    below={"location / {": "location /app {"},
    spared=("connections_are_kept",),
    lacks={
        "connections_are_kept": {"scgi uwsgi": ONE_REQUEST},
        "an_error_after_the_head_is_seen_by_the_client": {
            "scgi+unix uwsgi+unix": NO_END
        },
    },
)

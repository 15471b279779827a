"""Cannot be imported."""


def wsgi(environ, start_response): ...


raise RuntimeError("broken on purpose")

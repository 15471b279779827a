"""prefork: a pre-fork process manager and application server."""

__version__ = "1.0.0"

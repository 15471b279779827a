"""The parent: forks, watches, signals; never reads a request."""

"""One module a command: argument, settings, run, exit status."""

"""prefork beside other process managers: the same events, seen by clients."""

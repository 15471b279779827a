"""Both sides of a conversation decoded as they pass: for whoever looks on, or asks."""

"""The asking side: one request as the bytes of each protocol."""

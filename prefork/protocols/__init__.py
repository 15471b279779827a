"""What the bytes on the wire mean; sans-I/O, all of it."""

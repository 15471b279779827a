"""What is going on, seen from outside."""

"""Both sides of a conversation, decoded as they pass by."""

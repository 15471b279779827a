"""Starting a program that accepts by itself, in the way of spawn-fcgi."""

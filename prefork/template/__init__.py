"""The process that imports the application and forks workers."""

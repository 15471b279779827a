"""The kernel, one small file per facility."""

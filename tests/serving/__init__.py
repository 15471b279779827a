"""The words that process tests are written in: Server, eventually."""

from serving.eventually import eventually
from serving.server import Server

__all__ = ["Server", "eventually"]

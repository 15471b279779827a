"""The words that process tests are written in."""

from serving.census import Census
from serving.eventually import eventually
from serving.load import Failure, Load
from serving.server import Server
from serving.site import Site

__all__ = ["Census", "Failure", "Load", "Server", "Site", "eventually"]

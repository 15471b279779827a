"""Calls sys.exit() while it is imported, as scripts without a main guard do."""

import sys

sys.exit("no configuration for this application")

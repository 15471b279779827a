"""What a worker does with its life: serve, or keep a program that does."""

from collections.abc import Callable
from typing import Any

from prefork.settings.gateways import CGI, EXEC, WSGI
from prefork.worker.birth import WorkerContext, live
from prefork.worker.keeping import keep
from prefork.worker.promotion import Promotion

# From what it was born with, and what its template has loaded (template/gateways.py),
# to its end; or to its promotion.
Life = Callable[[WorkerContext, Any], Promotion | None]

LIVES: dict[str, Life] = {WSGI: live, CGI: live, EXEC: keep}

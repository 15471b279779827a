"""What the log says of a listener when its door opens."""

from prefork.monitor.log import Log
from prefork.system.exposure import ADVICE, find_risk
from prefork.system.listen import Listener


def announce(listener: Listener, log: Log) -> None:
    """Log where we listen, and a warning if it is exposed to strangers there."""
    log.info("listening", on=listener.url)
    if risk := find_risk(listener.address.protocol, listener.socket):
        log.warning("exposed listener", on=listener.url, risk=risk, advice=ADVICE)

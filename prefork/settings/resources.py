"""What settings say of the machine's resources: processors and limits."""

from prefork.settings.kinds import ITEMS, SIZE, Kind

AUTO = "auto"
MOST_CPUS = 8192  # CONFIG_NR_CPUS of the largest kernels
# Those of getrlimit(2), by the names of Python's resource module.
LIMITS = (
    *("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile"),
    *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)
UNLIMITED = "unlimited"


def expand_cpus(text: str) -> list[int]:
    """The processors of `0-3,6`, in that order; ValueError if it is no such list."""
    cpus: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise ValueError(f"{text!r} is neither auto nor a list such as 0-3,6")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or numbers[-1] >= MOST_CPUS:
            raise ValueError(f"{part.strip()} are no processors")
        cpus += numbers
    return list(dict.fromkeys(cpus))


def read_limit(text: str) -> tuple[str, int | None]:
    """`("nofile", 4096)` for `nofile=4096`; None is unlimited.  Raises ValueError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    if name not in LIMITS:
        raise ValueError(f"{name!r} is none of {', '.join(LIMITS)}")
    return name, None if value == UNLIMITED else SIZE.parse(value)


def _parse_cpus(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not text in quotes, such as "auto" or "0-3"')
    if value not in ("", AUTO):
        expand_cpus(value)
    return value


def _parse_limits(value: object) -> tuple[str, ...]:
    if isinstance(value, dict):
        value = [f"{name}={limit}" for name, limit in value.items()]
    limits = ITEMS.parse(value)
    for limit in limits:
        read_limit(limit)
    return limits


CPUS = Kind("processors", _parse_cpus, str)
RLIMITS = Kind("list", _parse_limits, ",".join, is_repeatable=True)

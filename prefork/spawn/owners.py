"""Looks up who the program and its socket are to belong to."""

import grp
import pwd

from prefork.errors import ConfigError
from prefork.spawn.numbers import parse_long, wrap_int, wrap_unsigned
from prefork.spawn.strict import Doubt

LARGEST_ID = 2**32 - 2  # one more is -1, which means "leave it" to chown(2)
ROOT = 0


class Owner:
    """A user and a group; 0 where none was given, as root cannot be asked for."""

    def __init__(self, uid: int = ROOT, gid: int = ROOT, name: str = "") -> None:
        self.uid = uid
        self.gid = gid
        self.name = name  # whose groups initgroups(3) looks up; "": nobody's


def find_owner(user: str | None, group: str | None, *, doubt: Doubt) -> Owner:
    """Look up -u and -g, or -U and -G; raise ConfigError for root and for nobody."""
    owner = Owner()
    entry: pwd.struct_passwd | None = None
    if user is not None:
        owner.uid, entry = _find_user(user, doubt)
        owner.name = entry.pw_name if entry else ""
    if group is not None:
        owner.gid = _find_group(group, doubt)
    elif entry is not None:
        owner.gid = _refuse_root("gid", entry.pw_gid)
    return owner


def _find_user(user: str, doubt: Doubt) -> tuple[int, pwd.struct_passwd | None]:
    if uid := _parse_id(user, doubt):
        try:
            return uid, pwd.getpwuid(uid)
        except KeyError:
            return uid, None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"can't find user name {user}") from None
    return _refuse_root("uid", entry.pw_uid), entry


def _find_group(group: str, doubt: Doubt) -> int:
    if gid := _parse_id(group, doubt):
        return gid
    try:
        return _refuse_root("gid", grp.getgrnam(group).gr_gid)
    except KeyError:
        raise ConfigError(f"can't find group name {group}") from None


def _parse_id(text: str, doubt: Doubt) -> int:
    """The number, or 0 if it is none: then it is a name."""
    number, rest = parse_long(text)
    if rest or not text:
        return 0
    uid = wrap_unsigned(number, bits=32)
    if number != uid or uid > LARGEST_ID:
        doubt(f"id {text} would become {uid}")
    return uid


def _refuse_root(what: str, number: int) -> int:
    if number == ROOT:
        raise ConfigError(f"I will not set {what} to 0")
    return number


def explain_lone_user(uid: int) -> str:
    """Root's group and groups stay: what spawn-fcgi only warns of."""
    return (
        f"couldn't find the user for uid {wrap_int(uid)} and no group was specified, "
        "so only the user privileges will be dropped"
    )

"""Privileges: who a process shall be, and becoming it for good."""

import grp
import os
import pwd
from dataclasses import dataclass

from prefork.errors import ConfigError, SystemRefusal

ROOT = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as credentials(7) knows one, and what programs ask the environment."""

    uid: int
    gid: int
    groups: tuple[int, ...]  # supplementary; gid is one of them
    name: str
    home: str


def look_up(user: str, group: str) -> Identity:
    """Who `user` and `group` are: names or numbers; "" is whoever we are.

    Without a group it is the user's own.  Raises ConfigError if one is unknown.
    """
    if not user:
        entry = _entry_of(os.geteuid())
        gid = _find_group(group) if group else os.getegid()
        return _identify(os.geteuid(), gid, entry)
    uid, entry = _find_user(user)
    if group:
        return _identify(uid, _find_group(group), entry)
    if entry is None:
        raise ConfigError(f"user {user} is only a number: give its group too")
    return _identify(uid, entry.pw_gid, entry)


def _find_user(user: str) -> tuple[int, pwd.struct_passwd | None]:
    try:
        entry = pwd.getpwnam(user)
        return entry.pw_uid, entry
    except KeyError:
        uid = _parse_number("user", user)
        return uid, _entry_of(uid)


def _find_group(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return _parse_number("group", group)


def _parse_number(what: str, text: str) -> int:
    # 2**32 - 1 is -1 to setresuid(2), which means "leave it as it is": stay root.
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 2**32 - 1:
        return int(text)
    database = {"user": "passwd", "group": "group"}[what]
    raise ConfigError(f"unknown {what} {text!r} (`getent {database}` lists them)")


def _entry_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:  # usual in a container
        return None


def _identify(uid: int, gid: int, entry: pwd.struct_passwd | None) -> Identity:
    if entry is None:
        return Identity(uid, gid, groups=(gid,), name=str(uid), home="/")
    groups = tuple(os.getgrouplist(entry.pw_name, gid))
    return Identity(uid, gid, groups, name=entry.pw_name, home=entry.pw_dir)


def drop(identity: Identity, *, initgroups: bool, umask: int | None) -> None:
    """Become `identity`, with no way back, and set the umask.

    `initgroups` gives it all its groups; else it is left with one, never with
    ours.  Raises SystemRefusal.  A change of uid disarms PR_SET_PDEATHSIG
    (prctl(2)): arm it afterwards.
    """
    if umask is not None:
        os.umask(umask)
    if os.geteuid() != ROOT and _is(identity):
        return
    _become(identity, groups=identity.groups if initgroups else (identity.gid,))
    _check_no_way_back(identity)
    os.environ.update(HOME=identity.home, USER=identity.name, LOGNAME=identity.name)


def _is(identity: Identity) -> bool:
    uids, gids = {identity.uid}, {identity.gid}
    return set(os.getresuid()) == uids and set(os.getresgid()) == gids


def _become(identity: Identity, *, groups: tuple[int, ...]) -> None:
    try:
        # In this order: once the uid is gone, so is the right to set the others.
        os.setgroups(groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        advice = "start as root, or leave out user and group"
        told = f"cannot become {identity.name}: {(error.strerror or '').lower()}"
        raise SystemRefusal(f"{told} ({advice})") from error


def _check_no_way_back(identity: Identity) -> None:
    # A capability that survived, or a saved uid, would make all this a decoration.
    if identity.uid == ROOT:
        return
    try:
        os.setresuid(ROOT, ROOT, ROOT)
    except PermissionError:
        return
    raise SystemRefusal(f"became {identity.name}, but could become root again")

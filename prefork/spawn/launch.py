"""What prefork-fcgi opens, gives up and starts, and in which order.

pid file ─ users ─ groups ─ chroot ─ socket ─ uid ─ chdir ─ children

The order is spawn-fcgi's, and can be seen from outside: by whose rights each is done,
on which side of the jail, and what is left behind when a later one fails.
"""

import os
import stat
from functools import partial

from prefork.errors import ConfigError
from prefork.spawn.attempt import attempt
from prefork.spawn.children import spawn_children
from prefork.spawn.console import complain
from prefork.spawn.listener import open_tcp, open_unix
from prefork.spawn.numbers import wrap_int
from prefork.spawn.options import Options
from prefork.spawn.owners import ROOT, Owner, explain_lone_user, find_owner
from prefork.spawn.pidfile import PidFile
from prefork.spawn.program import become
from prefork.spawn.strict import allow, check_place, refuse


def launch(options: Options, *, program: str) -> int:
    """Spawn what was asked for; return the exit status.  `program` is our own file.

    Raises ConfigError or SystemRefusal, and then leaves what has been made so far.
    """
    check_doubts(options)
    _check_caller(program)
    pid_file = _open_pid_file(options)
    if os.getuid() == ROOT:
        listener = _open_as_root(options)
    else:
        listener = _open_listener(options, Owner())
    if options.directory is not None:
        with attempt(f"chdir('{options.directory}') failed"):
            os.chdir(options.directory)
    enter = partial(
        become,
        options.command,
        shell=options.shell,
        listener=listener,
        php_children=options.php_children,
        is_forked=options.is_forking,
    )
    if options.is_forking:
        return spawn_children(enter, options.forks, pid_file)
    if options.forks > 0:
        enter()
    return 0


def check_doubts(options: Options) -> None:
    """With --strict refuse what is doubtful; raises ConfigError."""
    if options.is_strict and options.doubts:
        refuse(options.doubts[0])


def find_owners(options: Options) -> tuple[Owner, Owner]:
    """Who shall own the program, and its socket; raises ConfigError, as for root."""
    doubt = refuse if options.is_strict else allow
    owner = find_owner(options.user, options.group, doubt=doubt)
    place = find_owner(options.socket_user, options.socket_group, doubt=doubt)
    if owner.uid and not owner.gid:
        doubt(explain_lone_user(owner.uid))
    return owner, place


def _check_caller(program: str) -> None:
    if os.getuid() != ROOT and _is_lent_power(program):
        raise ConfigError("Are you nuts? Don't apply a SUID bit to this binary")


def _is_lent_power(program: str) -> bool:
    """Has a set-user-ID bit given us power, or is one set on `program` in vain?

    Linux does not heed the bit of a script; but whoever has set it expects that.
    """
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        return True
    try:
        found = os.stat(program)
    except OSError:
        return False
    return bool(found.st_mode & stat.S_ISUID) and found.st_uid != os.getuid()


def _open_pid_file(options: Options) -> PidFile | None:
    if options.pid_path is None or not options.is_forking:
        return None
    return PidFile(options.pid_path)


def _open_as_root(options: Options) -> int:
    """Open the listener somewhere on the way to becoming somebody else."""
    owner, place = find_owners(options)
    if owner.uid and not owner.gid:
        complain(f"WARNING: {explain_lone_user(owner.uid)}")
    place.uid = place.uid or owner.uid
    place.gid = place.gid or owner.gid
    if options.binds_outside:
        listener = _open_listener(options, place)
    # Before the jail hides /etc/group, and while we may still set groups.
    _change_groups(owner)
    if options.jail is not None:
        _enter_jail(options.jail)
    if not options.binds_outside:
        listener = _open_listener(options, place)
    if owner.uid:
        with attempt(f"setuid({wrap_int(owner.uid)}) failed"):
            os.setuid(owner.uid)
    return listener


def _open_listener(options: Options, owner: Owner) -> int:
    if options.path is None:
        return open_tcp(options.address, options.port, backlog=options.backlog)
    if options.is_strict:
        check_place(options.path)
    return open_unix(
        options.path,
        mode=_default_mode() if options.mode is None else options.mode,
        uid=owner.uid,
        gid=owner.gid,
        backlog=options.backlog,
    )


def _default_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o660 & ~umask


def _change_groups(owner: Owner) -> None:
    if not owner.gid:
        return  # and keep root's: see explain_lone_user()
    gid = wrap_int(owner.gid)
    with attempt(f"setgid({gid}) failed"):
        os.setgid(owner.gid)
    with attempt("setgroups(0, NULL) failed"):
        os.setgroups([])
    if owner.name:
        with attempt(f"initgroups('{owner.name}', {gid}) failed"):
            os.initgroups(owner.name, owner.gid)


def _enter_jail(directory: str) -> None:
    # From here on nothing can be imported: what lies in the jail is not ours.
    with attempt(f"chroot('{directory}') failed"):
        os.chroot(directory)
    with attempt("chdir('/') failed"):
        os.chdir("/")

"""prefork.system.privileges: who to be, and becoming it for good."""

import grp
import os
import pwd
from collections.abc import Callable

import pytest

from prefork.errors import ConfigError, SystemRefusal
from prefork.system.privileges import Identity, drop, look_up

ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not ROOT, reason="needs root")
NOBODY = pwd.getpwnam("nobody")
SOMEBODY = Identity(4242, 4243, groups=(4243, 4244), name="somebody", home="/home/s")


def unused(numbers: set[int]) -> str:
    return str(next(n for n in range(50_000, 60_000) if n not in numbers))


def test_finds_a_user_and_its_group() -> None:
    found = look_up("nobody", "")
    assert (found.uid, found.gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert (found.name, found.home) == ("nobody", NOBODY.pw_dir)
    assert found.gid in found.groups


def test_a_number_is_as_good_as_a_name() -> None:
    assert look_up(str(NOBODY.pw_uid), "") == look_up("nobody", "")


def test_the_group_may_be_another() -> None:
    root = grp.getgrgid(0).gr_name
    assert look_up("nobody", root).gid == 0
    assert look_up("nobody", "54321").gid == 54321


def test_a_number_without_a_name_needs_its_group() -> None:
    number = unused({entry.pw_uid for entry in pwd.getpwall()})
    with pytest.raises(ConfigError, match=f"user {number} is only a number"):
        look_up(number, "")
    found = look_up(number, "7")
    assert found == Identity(int(number), 7, groups=(7,), name=number, home="/")


def test_no_name_is_whoever_we_are() -> None:
    found = look_up("", "")
    assert (found.uid, found.gid) == (os.geteuid(), os.getegid())


@pytest.mark.parametrize(
    ("user", "group", "told"),
    [
        ("no such user", "", "unknown user 'no such user'"),
        ("nobody", "no such group", "unknown group 'no such group' (`getent group`"),
        ("-1", "", "unknown user '-1'"),
        ("4294967295", "0", "unknown user '4294967295'"),  # -1 to the kernel
        ("nobody", "4294967295", "unknown group '4294967295'"),
        ("nobody", "9" * 5000, "unknown group '999"),
        ("٣", "0", "unknown user"),
    ],
)
def test_refuses_who_is_unknown(user: str, group: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        look_up(user, group)
    assert told in str(caught.value)


def in_child(work: Callable[[], object]) -> str:
    """What `work` returns, or raises, in a child that may lose its privileges."""
    readable, writable = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            said = repr(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writable, said.encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


def drop_to(identity: Identity, *, initgroups: bool = False) -> None:
    drop(identity, initgroups=initgroups, umask=None)


@root_only
@pytest.mark.process
@pytest.mark.parametrize(
    ("initgroups", "groups"), [(False, [4243]), (True, [4243, 4244])]
)
def test_becomes_somebody_else(*, initgroups: bool, groups: list[int]) -> None:
    def work() -> object:
        drop_to(SOMEBODY, initgroups=initgroups)
        return os.getresuid(), os.getresgid(), os.getgroups()

    assert in_child(work) == repr(((4242,) * 3, (4243,) * 3, groups))


@root_only
@pytest.mark.process
def test_there_is_no_way_back() -> None:
    def work() -> None:
        drop_to(SOMEBODY)
        os.setuid(0)

    assert in_child(work).startswith("PermissionError")


@root_only
@pytest.mark.process
def test_the_environment_is_the_users() -> None:
    def work() -> object:
        drop_to(SOMEBODY)
        return [os.environ[name] for name in ("HOME", "USER", "LOGNAME")]

    assert in_child(work) == repr(["/home/s", "somebody", "somebody"])


@pytest.mark.process
def test_sets_the_umask_of_who_stays_too() -> None:
    def work() -> int:
        drop(look_up("", ""), initgroups=False, umask=0o027)
        return os.umask(0)

    assert in_child(work) == repr(0o027)


@root_only
@pytest.mark.process
def test_who_is_not_root_may_ask_to_stay_who_it_is() -> None:
    def work() -> object:
        drop_to(SOMEBODY)
        os.environ["HOME"] = "/elsewhere"
        drop_to(SOMEBODY, initgroups=True)
        return os.getgroups(), os.environ["HOME"]

    assert in_child(work) == repr(([4243], "/elsewhere"))


@root_only
@pytest.mark.process
def test_who_is_not_root_becomes_nobody_else() -> None:
    def work() -> None:
        drop_to(SOMEBODY)
        drop_to(look_up("nobody", ""))

    assert in_child(work) == (
        "SystemRefusal: cannot become nobody: operation not permitted "
        "(start as root, or leave out user and group)"
    )


@root_only
@pytest.mark.process
def test_refuses_to_go_on_if_root_could_be_regained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "setresuid", lambda *_: None)  # a drop that does not drop
        said = in_child(lambda: drop_to(SOMEBODY))
    assert (
        said
        == f"{SystemRefusal.__name__}: became somebody, but could become root again"
    )

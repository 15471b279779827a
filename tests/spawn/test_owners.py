"""Users and groups as spawn-fcgi looks them up."""

import grp
import pwd

import pytest

from prefork.errors import ConfigError
from prefork.spawn.owners import explain_lone_user, find_owner
from prefork.spawn.strict import allow, refuse

UNKNOWN = 54321


def find(user: str | None, group: str | None = None) -> tuple[int, int, str]:
    owner = find_owner(user, group, doubt=allow)
    return owner.uid, owner.gid, owner.name


@pytest.fixture
def daemon() -> pwd.struct_passwd:
    return pwd.getpwnam("daemon")


def test_nobody_in_particular() -> None:
    assert find(None) == (0, 0, "")


def test_a_user_brings_a_group(daemon: pwd.struct_passwd) -> None:
    found = (daemon.pw_uid, daemon.pw_gid, "daemon")
    assert find("daemon") == find(str(daemon.pw_uid)) == found


def test_a_group_may_be_another(daemon: pwd.struct_passwd) -> None:
    sys = grp.getgrnam("sys").gr_gid
    assert find("daemon", "sys") == (daemon.pw_uid, sys, "daemon")
    assert find(None, str(sys)) == (0, sys, "")


def test_a_number_need_not_be_known() -> None:
    assert find(str(UNKNOWN)) == (UNKNOWN, 0, "")
    assert find(str(UNKNOWN), str(UNKNOWN)) == (UNKNOWN, UNKNOWN, "")


def test_a_number_wraps_round(daemon: pwd.struct_passwd) -> None:
    assert find(str(2**32 + daemon.pw_uid)) == find("daemon")
    assert find("-5")[0] == 2**32 - 5


@pytest.mark.parametrize("text", ["-5", "-1", "4294967295", "4294967329", "9" * 30])
def test_strict_refuses_a_number_that_wraps_round(text: str) -> None:
    with pytest.raises(ConfigError, match=f"id {text} would become"):
        find_owner(text, None, doubt=refuse)
    with pytest.raises(ConfigError, match=f"id {text} would become"):
        find_owner(None, text, doubt=refuse)


@pytest.mark.parametrize(
    ("user", "group", "refusal"),
    [
        ("root", None, "I will not set uid to 0"),
        ("0", None, "can't find user name 0"),
        ("4294967296", None, "can't find user name 4294967296"),
        ("", None, "can't find user name "),
        ("1x", None, "can't find user name 1x"),
        ("no such", "no such", "can't find user name no such"),
        (None, "root", "I will not set gid to 0"),
        (None, "0", "can't find group name 0"),
        ("1", "no such", "can't find group name no such"),
    ],
)
def test_root_and_strangers_are_refused(
    user: str | None, group: str | None, refusal: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        find_owner(user, group, doubt=allow)
    assert str(refused.value) == refusal


def test_ids_are_told_as_c_prints_them() -> None:
    assert "for uid -5 and" in explain_lone_user(2**32 - 5)

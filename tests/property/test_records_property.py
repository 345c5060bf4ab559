"""Records of any bytes: decoded as the slow twin decodes them, or refused where it refuses them."""

from hypothesis import example, given
from hypothesis import strategies as st

from settlement.record_types import Malformed
from settlement.records import RECORD_BYTES, decode, encode
from tests.model.ledger import TABLE, unpack

types = st.integers(0, 0x14).map(lambda kind: bytes([kind]))
fields = st.binary(min_size=30, max_size=30)
used = st.integers(0, 30)
nearly_records = st.builds(
    lambda kind, body, keep: kind + body[:keep] + bytes(30 - keep), types, fields, used
)


@given(st.one_of(nearly_records, st.binary(max_size=40)))
@example(bytes(31))
def test_any_bytes_are_a_record_or_are_refused_with_a_position(data: bytes):
    value, slow = decode(data), unpack(data)
    if isinstance(value, Malformed):
        assert slow is None
        assert 0 <= value.position <= RECORD_BYTES
        return
    assert slow == (TABLE[data[0]].split()[0], value._asdict())
    assert encode(value) == data


@given(nearly_records, st.integers(0, 8 * 31 - 1))
def test_every_flipped_bit_makes_another_record_or_none(data: bytes, bit: int):
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    before, after = decode(data), decode(bytes(flipped))
    assert isinstance(after, Malformed) or (type(after), after) != (type(before), before)

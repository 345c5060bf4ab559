"""Packed vectors of 64-bit integers: librt's where the core is compiled, lists where it is not.

mypyc reads the first branch below and compiles `vec[i64]` into memory that is indexed in two
instructions. An interpreter takes the second: it indexes a list three times as fast as any other
sequence. Both hold the same integers, so both make the same events.

Holds: this module itself is never compiled; `extend` may return another vector than it was given,
so callers keep what it returns.
Never: wraps. Whoever computes keeps its integers within 64 bits, or the two would differ.
"""

from array import array
from typing import TYPE_CHECKING

from librt.strings import read_i64_le

if TYPE_CHECKING:
    from librt.vecs import extend, vec
    from mypy_extensions import i64
else:
    i64 = int
    vec = list

    def extend(vector, items):
        vector += items
        return vector


__all__ = ["as_bytes", "extend", "i64", "read_i64_le", "vec"]


def as_bytes(vector: "vec[i64]", count: int) -> bytes:
    """The first `count` integers, 8 bytes each, in this machine's order."""
    if isinstance(vector, list):
        return array("q", vector[:count]).tobytes()
    return bytes(memoryview(vector)[:count])

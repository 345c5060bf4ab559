"""What several underlyings lose together, and the roundings that every margin has.

Holds: netted worth lies between the sum of each underlying's own worst and the worst of all
together (docs/margin.md, 2); maintenance and lots round up.
Never: knows an account.
"""

from margin.kernel import Vector, add_lots, copy_of, least
from margin.parameters import MAINTENANCE_PERCENT, NETTING_PERCENT


def half_up(lots: int) -> int:
    """Half a micro-USDC per lot, rounded up: covers the rounding of marks and rows."""
    return (lots + 1) // 2


def netted(separate_micro: int, joint_micro: int) -> int:
    """Worth in the worst case over several underlyings: the sum of each one's own worst, and of
    what the worst of all together is better than that, NETTING_PERCENT, rounded down.
    """
    return separate_micro + (joint_micro - separate_micro) * NETTING_PERCENT // 100


def netted_worst(vectors: list[Vector]) -> int:
    """The same of vectors, one for each underlying."""
    separate = 0
    for vector in vectors:
        separate += int(least(vector))
    if len(vectors) <= 1:
        return separate
    return netted(separate, int(least(sum_of(vectors))))


def three_worths(vectors: list[Vector]) -> tuple[int, int, int]:
    """Separate, joint and netted."""
    separate = 0
    for vector in vectors:
        separate += int(least(vector))
    joint = int(least(sum_of(vectors))) if vectors else 0
    return separate, joint, netted(separate, joint)


def sum_of(vectors: list[Vector]) -> Vector:
    """All of at least one, scenario by scenario."""
    total = copy_of(vectors[0])
    for vector in vectors[1:]:
        add_lots(total, vector, 1)
    return total


def maintenance_of(worst_micro: int) -> int:
    """Maintenance margin of a W, rounded up."""
    return -(-worst_micro * MAINTENANCE_PERCENT // 100)

"""What collateral counts, in exact fractions: slow twin of `margin/collateral.py`.

Holds: nothing here is rounded but where docs/collateral.md says so; the forward's moves come from
the page's list, not from the product's.
"""

from fractions import Fraction
from typing import NamedTuple

MOVES = [m for m in range(-18, 19) for _ in range(3)] + [-66, -33, 50, 100, 200, 300, 400, 500]
"""Percent, by scenario."""
TAILS = range(111, 119)


class Terms(NamedTuple):
    is_stable: bool
    lot_e8: int
    initial_e4: int
    maintenance_e4: int
    cap_micro: int
    discount_e4: int


def nearest(value: Fraction) -> int:
    """Half up."""
    return (value + Fraction(1, 2)) // 1


def level_micro(index_micro: int, scenario: int) -> int:
    """The index as a scenario counts it: moved, and in a tail 77% x 18 / |m| of the move."""
    move = MOVES[scenario]
    gain = nearest(Fraction(index_micro * (100 + move), 100)) - index_micro
    if scenario in TAILS:
        gain = nearest(Fraction(gain * 77 * 18, 100 * abs(move)))
    return index_micro + gain


def true_worth(terms: Terms, amount_micro: int, level: int, keeps_e4: int) -> Fraction:
    """A share of an amount, micro-USDC, before anything is rounded."""
    tokens = Fraction(amount_micro, 10**6)
    dollars = tokens if terms.is_stable else tokens * Fraction(10**8, terms.lot_e8) * level / 10**6
    return dollars * 10**6 * Fraction(keeps_e4, 10**4)


def rounded(terms: Terms, amount_micro: int, level: int, keeps_e4: int) -> int:
    """The same as it counts: a micro-unit's price down to 24 bits, then the worth down."""
    if terms.is_stable:
        return true_worth(terms, amount_micro, level, keeps_e4) // 1
    price = true_worth(terms, 1, level, keeps_e4) * 2**24 // 1
    return Fraction(amount_micro * price, 2**24) // 1


def scenarios(terms: Terms, balance_micro: int, index_micro: int) -> list[int]:
    """What a balance counts in each scenario."""
    amount = min(balance_micro, terms.cap_micro)
    keeps = 10**4 - terms.maintenance_e4
    levels = [level_micro(index_micro, s) for s in range(len(MOVES))]
    return [rounded(terms, amount, level, keeps) for level in levels]


def initial(terms: Terms, balance_micro: int, index_micro: int) -> int:
    """What a balance counts in initial margin where nothing moves: a stable's peg is 1%."""
    amount = min(balance_micro, terms.cap_micro)
    keeps = 10**4 - terms.initial_e4 - (100 if terms.is_stable else 0)
    return rounded(terms, amount, index_micro, keeps)


def sale(
    terms: Terms, index_micro: int, held_micro: int, paid_micro: int
) -> tuple[Fraction, Fraction]:
    """Cash and amount of a sale before anything is rounded."""
    price = true_worth(terms, 1, index_micro, 10**4 - terms.discount_e4)
    amount = min(Fraction(held_micro), paid_micro / price)
    return amount * price, amount

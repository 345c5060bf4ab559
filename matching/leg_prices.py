"""How the net price of a combo that trades against a combo falls on its legs.

Holds: the leg prices are whole ticks, an option's is never negative, and they sum to the net
price exactly. Start from the legs' marks in ticks; the residual then goes, in whole ticks, leg
by leg in the order of largest |ratio x tick value| first (among equals, the first leg), each
taking all it can without going below zero; what the steps cannot divide is spread by the
extended Euclidean algorithm over the legs. docs/matching.md shows it at work.
Never: decides whether the trade happens; a net price that no leg prices can make gives None.
"""

from collections.abc import Sequence


def split_net_price(
    net_price_micro: int,
    steps_micro: Sequence[int],
    mark_ticks: Sequence[int],
    may_be_negative: Sequence[bool],
) -> list[int] | None:
    """Leg prices in ticks, or None where no prices of the legs sum to the net price.

    `steps_micro[i]` = ratio x tick value: what one tick of leg i adds to the net price.
    `mark_ticks[i]` is where leg i starts.
    """
    prices = [
        mark if free else max(mark, 0)
        for mark, free in zip(mark_ticks, may_be_negative, strict=True)
    ]
    residual = net_price_micro - _net(prices, steps_micro)
    by_size = sorted(range(len(prices)), key=lambda leg: -abs(steps_micro[leg]))
    for leg in by_size:
        residual = _absorb(leg, residual, prices, steps_micro, may_be_negative)
    if residual:
        residual = _spread(residual, prices, steps_micro)
        if residual:
            return None
    return _lift_negatives(prices, steps_micro, may_be_negative)


def _net(prices: Sequence[int], steps_micro: Sequence[int]) -> int:
    return sum(price * step for price, step in zip(prices, steps_micro, strict=True))


def _absorb(
    leg: int,
    residual: int,
    prices: list[int],
    steps_micro: Sequence[int],
    may_be_negative: Sequence[bool],
) -> int:
    """Moves one leg by as many whole ticks as the residual holds, not below zero; gives what is
    left of it, whose size never grows.
    """
    step = steps_micro[leg]
    ticks = abs(residual) // abs(step)
    if (residual < 0) != (step < 0):
        ticks = -ticks
    if not may_be_negative[leg]:
        ticks = max(ticks, -prices[leg])
    prices[leg] += ticks
    return residual - ticks * step


def _spread(residual: int, prices: list[int], steps_micro: Sequence[int]) -> int:
    """Adds the solution of sum(step x ticks) = residual that the extended Euclidean algorithm
    gives; gives the residual back where the steps' gcd does not divide it.
    """
    divisor, weights = 0, [0] * len(steps_micro)
    for leg, step in enumerate(steps_micro):
        divisor, old_factor, factor = _extended_gcd(divisor, step)
        weights = [weight * old_factor for weight in weights]
        weights[leg] += factor
    if residual % divisor:
        return residual
    for leg, weight in enumerate(weights):
        prices[leg] += weight * (residual // divisor)
    return 0


def _extended_gcd(a: int, b: int) -> tuple[int, int, int]:
    """(g, x, y) with g = a x + b y > 0."""
    x, next_x, y, next_y = 1, 0, 0, 1
    while b:
        quotient = a // b
        a, b = b, a - quotient * b
        x, next_x = next_x, x - quotient * next_x
        y, next_y = next_y, y - quotient * next_y
    return (a, x, y) if a > 0 else (-a, -x, -y)


def _lift_negatives(
    prices: list[int], steps_micro: Sequence[int], may_be_negative: Sequence[bool]
) -> list[int] | None:
    """Brings options that stand below zero up to it, paid for by other legs in steps that leave
    the net price alone; None where the others cannot pay.
    """
    for leg, step in enumerate(steps_micro):
        if may_be_negative[leg] or prices[leg] >= 0:
            continue
        for other, other_step in enumerate(steps_micro):
            if other == leg or prices[leg] >= 0:
                continue
            divisor = _extended_gcd(step, other_step)[0]
            up = abs(other_step) // divisor
            across = -up * step // other_step
            times = -(prices[leg] // up)
            if across < 0 and not may_be_negative[other]:
                times = min(times, max(prices[other], 0) // -across)
            prices[leg] += up * times
            prices[other] += across * times
        if prices[leg] < 0:
            return None
    return prices

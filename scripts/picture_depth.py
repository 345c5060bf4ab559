"""Draws docs/pictures/matching_depth.svg: what a message costs against how many orders rest.

    python scripts/picture_depth.py                    measures and draws (two minutes, 1 GB)
    python scripts/picture_depth.py --depths 100,1000  less

What is measured: exchange/bench/matching_depth.py. Both axes are logarithmic; the dashed line is
what a search that halves would cost, from the first point on.
"""

import argparse
from collections.abc import Callable, Iterator
from math import log2, log10
from pathlib import Path
from typing import Final

from exchange.bench.matching_depth import DEPTHS, EACH, HUNDRED, TENTH, Cost, costs
from exchange.compiled import told

TARGET: Final = Path(__file__).parent.parent / "docs" / "pictures" / "matching_depth.svg"
WIDTH, HEIGHT = 880, 440
LEFT, RIGHT, TOP, BOTTOM = 78, 590, 62, 376
SHAPES: Final = {HUNDRED: "#33517e", TENTH: "#b3541e", EACH: "#8a3b8f"}
MESSAGES: Final = 400_000
ROUNDS: Final = 5


def main() -> None:
    """Measures, draws, and says what and where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--depths", default=",".join(map(str, DEPTHS)))
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--to", type=Path, default=TARGET)
    asked = parser.parse_args()
    depths = [int(word) for word in asked.depths.split(",")]
    found = list(costs(list(SHAPES), depths, asked.messages, ROUNDS))
    for cost in found:
        print(f"{cost.shape.name:<26} {cost.orders:>9,} orders {cost.message_ns:>10,.0f} ns")
    asked.to.write_text(drawn(found), "utf8")
    print(asked.to)


def drawn(found: list[Cost]) -> str:
    """The picture."""
    depths = sorted({cost.orders for cost in found})
    values = [cost.message_ns for cost in found]
    low, high = 10 ** int(log10(min(values))), 10 ** -int(-log10(max(values)) // 1)
    return "\n".join([*_paper(low, high, depths), *_lines(found, low, high, depths), "</svg>", ""])


def _scale(first: float, last: float, start: float, end: float) -> Callable[[float], float]:
    """From a value to a place, logarithmic."""
    return lambda value: start + (end - start) * log10(value / first) / log10(last / first)


def _paper(low: int, high: int, depths: list[int]) -> Iterator[str]:
    across, up = _scale(depths[0], depths[-1], LEFT, RIGHT), _scale(low, high, BOTTOM, TOP)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13" fill="#44546f">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    yield (
        '<text x="20" y="28" font-size="16" font-weight="bold" fill="#1c2b45">'
        f"One message against what rests, {told()}</text>"
    )
    yield '<text x="20" y="48">nanoseconds a message</text>'
    yield f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">'
    yield "orders that rest in the book</text>"
    decade = low
    while decade <= high:
        for step in range(1, 10 if decade < high else 2):
            y, shade = up(decade * step), "#d5dbe6" if step == 1 else "#f0f3f8"
            yield f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="{shade}"/>'
        at = up(decade) + 4
        yield f'<text x="{LEFT - 8}" y="{at:.1f}" text-anchor="end">{decade:,}</text>'
        decade *= 10
    for depth in depths:
        x = across(depth)
        yield f'<path d="M{x:.1f} {TOP}V{BOTTOM}" stroke="#d5dbe6"/>'
        yield f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{depth:,}</text>'


def _lines(found: list[Cost], low: int, high: int, depths: list[int]) -> Iterator[str]:
    across, up = _scale(depths[0], depths[-1], LEFT, RIGHT), _scale(low, high, BOTTOM, TOP)
    ends: list[tuple[float, str, str]] = []
    first = next(cost.message_ns for cost in found if cost.shape == HUNDRED)
    steps = [depths[0] * (depths[-1] / depths[0]) ** (at / 40) for at in range(41)]
    halving = [(depth, first * log2(depth) / log2(depths[0])) for depth in steps]
    path = "L".join(f"{across(depth):.1f} {up(value):.1f}" for depth, value in halving)
    yield f'<path d="M{path}" fill="none" stroke="#7a869a" stroke-dasharray="5 4"/>'
    ends.append((up(halving[-1][1]), "#7a869a", "log of the orders (reference)"))
    for shape, colour in SHAPES.items():
        points = [(across(c.orders), up(c.message_ns)) for c in found if c.shape == shape]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2"/>'
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>'
        last = [cost.message_ns for cost in found if cost.shape == shape][-1]
        ends.append((points[-1][1], colour, f"{shape.name}: {last:,.0f} ns"))
    below = float("-inf")
    for y, colour, text in sorted(ends):
        below = max(y, below + 17)
        yield f'<text x="{RIGHT + 12}" y="{below + 4:.1f}" fill="{colour}">{text}</text>'


if __name__ == "__main__":
    main()

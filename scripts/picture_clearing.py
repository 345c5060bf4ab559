"""Draws docs/pictures/clearing_growth.svg: what valuing everybody costs as the exchange grows.

    python scripts/picture_clearing.py              measures and draws (some minutes)
    python scripts/picture_clearing.py --rounds 3   sooner

What is measured: exchange/bench/clearing_growth.py. Three panels, one size growing in each; both
axes are logarithmic; the dashed line grows in proportion, from the first point on.
"""

import argparse
from collections.abc import Iterator
from math import log10
from pathlib import Path
from typing import Final

from exchange.bench.clearing_growth import (
    ACCOUNTS,
    BASE,
    INSTRUMENTS,
    POSITIONS,
    Point,
    points,
)
from exchange.compiled import choose, told

TARGET: Final = Path(__file__).parent.parent / "docs" / "pictures" / "clearing_growth.svg"
WIDTH, HEIGHT = 960, 380
TOP, BOTTOM, PANEL, FIRST, STEP = 78, 312, 230, 70, 300
SWEEP, VALUES, EVEN = "#33517e", "#b3541e", "#7a869a"
PANELS: Final = (ACCOUNTS, POSITIONS, INSTRUMENTS)


def main() -> None:
    """Measures, draws, and says what and where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--to", type=Path, default=TARGET)
    asked = parser.parse_args()
    found: list[Point] = []
    for point in points(rounds=asked.rounds):
        found.append(point)
        print(
            f"{point.grown:<18} {grown_size(point):>7,}  {point.sweep_ms:>8.1f} ms, of it"
            f" valuing {point.values_ms:>8.1f} ms; a plain loop {point.loop_ms:.1f} ms"
        )
    asked.to.write_text(drawn(found), "utf8")
    print(asked.to)


def grown_size(point: Point) -> int:
    """The size that grew."""
    return point.size[PANELS.index(point.grown)]


def drawn(found: list[Point]) -> str:
    """The picture."""
    values = [ms for point in found for ms in (point.sweep_ms, point.values_ms) if ms > 0]
    low, high = 10.0 ** (log10(min(values)) // 1), 10.0 ** -(-log10(max(values)) // 1)
    lines = [*_paper()]
    for at, panel in enumerate(PANELS):
        chosen = [point for point in found if point.grown == panel]
        lines += _panel(FIRST + at * STEP, panel, chosen, low, high)
    return "\n".join([*lines, "</svg>", ""])


def _paper() -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13" fill="#44546f">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    yield (
        '<text x="20" y="28" font-size="16" font-weight="bold" fill="#1c2b45">'
        f"New marks, and every account's worst of 119 scenarios, {told()}</text>"
    )
    base = (
        f"{BASE.accounts:,} accounts, {BASE.positions} positions each, {BASE.instruments} options"
    )
    yield f'<text x="20" y="50">milliseconds; {base}</text>'
    for x, colour, text in (
        (470, SWEEP, "marking and valuing"),
        (640, VALUES, "valuing alone"),
        (780, EVEN, "in proportion"),
    ):
        yield f'<path d="M{x} 46h22" stroke="{colour}" stroke-width="2.2"/>'
        yield f'<text x="{x + 28}" y="50">{text}</text>'


def _panel(left: int, panel: str, found: list[Point], low: float, high: float) -> Iterator[str]:
    sizes = [grown_size(point) for point in found]
    first, last = sizes[0], sizes[-1]

    def across(size: float) -> float:
        return left + PANEL * log10(size / first) / log10(last / first)

    def up(ms: float) -> float:
        return BOTTOM + (TOP - BOTTOM) * log10(max(ms, low) / low) / log10(high / low)

    decade = low
    while decade <= high * 1.001:
        y = up(decade)
        yield f'<path d="M{left} {y:.1f}h{PANEL}" stroke="#d5dbe6"/>'
        yield f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{decade:g}</text>'
        decade *= 10
    for size in sizes:
        x = across(size)
        yield f'<path d="M{x:.1f} {TOP}V{BOTTOM}" stroke="#f0f3f8"/>'
        yield f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{size:,}</text>'
    middle = left + PANEL / 2
    yield f'<text x="{middle}" y="{BOTTOM + 44}" text-anchor="middle">{panel}</text>'
    start = found[0].values_ms
    end = start * last / first
    reach = min(end, high)
    stop = first * reach / start if start > 0 else last
    yield (
        f'<path d="M{across(first):.1f} {up(start):.1f}L{across(stop):.1f} {up(reach):.1f}"'
        f' stroke="{EVEN}" stroke-dasharray="5 4"/>'
    )
    for colour, series in (
        (VALUES, [point.values_ms for point in found]),
        (SWEEP, [point.sweep_ms for point in found]),
    ):
        places = [(across(size), up(ms)) for size, ms in zip(sizes, series, strict=True)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>'


if __name__ == "__main__":
    choose()
    main()

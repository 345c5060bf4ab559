"""Draws docs/pictures/vanna_charm.svg: what a hedged short straddle is asked as its expiry nears.

    python scripts/picture_charm.py

What is computed: margin/analytics/near_expiry.py. The scan's part above what it asks eight days
before, and the charge for vanna and charm; the same picture every time, which a test holds against
the file.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from margin.analytics.near_expiry import Nearing, nearing

TARGET: Final = Path(__file__).parent.parent / "docs" / "pictures" / "vanna_charm.svg"
DAYS: Final = (8, 7, 6, 5, 4, 3.5, 3, 2.5, 2, 1.75, 1.5, 1.25, 1, 0.8, 0.6, 0.4, 0.25, 0.1, 0.02)
WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 560, 56, 300
STEP: Final = 1_000
SCAN, CHARGE, BOTH = "#33517e", "#b3541e", "#7a869a"


def main() -> None:
    """Computes, draws, and says what and where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", type=Path, default=TARGET)
    asked = parser.parse_args()
    found = [nearing(days) for days in DAYS]
    for days, book in zip(DAYS, found, strict=True):
        print(f"{days:>5} days  scan {book.scan_micro:>13,}  charge {book.vanna_charm_micro:>13,}")
    asked.to.write_text(drawn(found), "utf8")
    print(asked.to)


def drawn(found: Sequence[Nearing]) -> str:
    """The picture."""
    start = found[0].scan_micro
    scans = [(book.scan_micro - start) / 1e6 for book in found]
    charges = [book.vanna_charm_micro / 1e6 for book in found]
    both = [scan + charge for scan, charge in zip(scans, charges, strict=True)]
    high = -(-max(both) // STEP) * STEP
    lines = [*_paper(int(high))]
    for color, values, words, below in (
        (BOTH, both, "both", -6),
        (SCAN, scans, "scan, beyond eight days'", 12),
        (CHARGE, charges, "vanna and charm", 4),
    ):
        lines += _line(color, values, words, below, high)
    return "\n".join([*lines, "</svg>", ""])


def _across(days: float) -> float:
    """Time runs to the right, the square root of what is left to the left of the expiry."""
    return RIGHT - (RIGHT - LEFT) * (days / DAYS[0]) ** 0.5


def _up(value: float, high: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / high


def _paper(high: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13" fill="#44546f">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield (
        f'<text x="{LEFT}" y="30" font-size="15" fill="#172b4d">A delta-hedged short straddle of'
        " half a bitcoin: USDC asked as its expiry nears</text>"
    )
    for value in range(0, high + 1, STEP):
        y = _up(value, high)
        yield f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dfe3ea"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>'
    for days in (8, 4, 2, 1, 0.25, 0):
        yield (
            f'<text x="{_across(days):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{days:g}</text>'
        )
    middle = (LEFT + RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{BOTTOM + 42}" text-anchor="middle">days left</text>'


def _line(
    color: str, values: Sequence[float], words: str, below: int, high: float
) -> Iterator[str]:
    places = [(_across(d), _up(v, high)) for d, v in zip(DAYS, values, strict=True)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'
    x, y = places[-1]
    yield f'<text x="{x + 10:.1f}" y="{y + below:.1f}" fill="{color}">{words}</text>'


if __name__ == "__main__":
    main()

"""Computes the table of the normal distribution and writes it for Python and for Solidity.

    python scripts/make_normal_table.py            writes both files
    python scripts/make_normal_table.py --check    computes again, names what differs, exit 1

Node j of 1,025 stands at x = j / 128. It is nine bytes: the upper tail 1 - N(x) in Q40 (five
bytes), then the density in Q32 (four), each rounded to nearest at 60 decimal digits.
"""

import argparse
import sys
from pathlib import Path

import mpmath

ROOT = Path(__file__).resolve().parent.parent
NODES = 1_025
NODES_PER_UNIT = 128
BYTES_PER_LINE = 36  # four nodes

PYTHON = '''"""The table of the normal distribution, written by scripts/make_normal_table.py.

Holds: node j of 1,025, nine bytes, stands at x = j / 128: the upper tail 1 - N(x) in Q40 (five
bytes), then the density in Q32 (four), rounded to nearest. NormalTable.sol holds the same bytes.
"""

from typing import Final

NODES: Final[bytes] = bytes.fromhex(
{lines}
)
'''

SOLIDITY = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The table of the normal distribution
/// @notice Written by scripts/make_normal_table.py, not by hand.
/// @dev Node j of 1,025, nine bytes, stands at x = j / 128: the upper tail 1 - N(x) in Q40
/// (five bytes), then the density in Q32 (four), rounded to nearest. margin/normal_table.py
/// holds the same bytes.
library NormalTable {{
    bytes internal constant NODES =
{lines};
}}
"""


def table() -> bytes:
    """All nodes, big-endian, one after the other."""
    mpmath.mp.dps = 60
    nodes: list[bytes] = []
    for j in range(NODES):
        x = mpmath.mpf(j) / NODES_PER_UNIT
        tail = int(mpmath.nint(mpmath.ncdf(-x) * 2**40))
        density = int(mpmath.nint(mpmath.npdf(x) * 2**32))
        nodes.append(tail.to_bytes(5, "big") + density.to_bytes(4, "big"))
    return b"".join(nodes)


def files() -> dict[Path, str]:
    """What the two generated files must hold."""
    data = table()
    rows = [data[i : i + BYTES_PER_LINE].hex() for i in range(0, len(data), BYTES_PER_LINE)]
    python = "\n".join(f'    "{row}"' for row in rows)
    solidity = "\n".join(f'        hex"{row}"' for row in rows)
    return {
        ROOT / "margin" / "normal_table.py": PYTHON.format(lines=python),
        ROOT / "contracts" / "libraries" / "NormalTable.sol": SOLIDITY.format(lines=solidity),
    }


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the table of the normal distribution.")
    parser.add_argument("--check", action="store_true", help="compare with what is stored")
    check = bool(parser.parse_args(words).check)
    stale = [f for f, text in files().items() if not f.exists() or f.read_text("utf8") != text]
    for file in stale:
        print(f"{file.relative_to(ROOT)}: {'differs' if check else 'written'}")
        if not check:
            file.write_text(files()[file], "utf8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""One table of parameters: what the module says, what the page says, and that nothing else does.

Holds: the value of each row of docs/margin.md, 2.3, is written here from `margin/parameters.py`, so
neither can change without the other; every name there has a source, a reason and an assertion on a
page that the tests run.
"""

import ast
import re
from pathlib import Path
from typing import Final

from margin import parameters as p

ROOT: Final = Path(__file__).resolve().parents[2]
MODULE: Final = ROOT / "margin" / "parameters.py"
PAGES: Final = ("margin.md", "collateral.md", "liquidation.md")
YEARS: Final = ("", "one", "two")
AS_TYPED: Final = str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "\N{MINUS SIGN}": "-"})
SOURCES: Final = ("PM2", "[D", " D ", "D:", "D]", "house", "docs/protocol.md")


def section() -> str:
    page = (ROOT / "docs" / "margin.md").read_text("utf8")
    return page.partition("### 2.3 Parameters")[2].partition("\n## ")[0]


def rows() -> dict[str, tuple[str, str]]:
    """(value, source and reason) by name."""
    found: dict[str, tuple[str, str]] = {}
    for line in section().translate(AS_TYPED).splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[0] != "parameter" and set(cells[0]) != {"-"}:
            assert cells[0] not in found
            found[cells[0]] = cells[1], cells[2]
    return found


def share(e6: int) -> str:
    """Millionths in percent."""
    return f"{e6 / 10_000:g}%"


def millions(micro: int) -> str:
    return f"{micro // 10**12}M"


def written() -> dict[str, str]:
    """What the page must say of each."""
    tails = f"-{-p.TAILS_PERCENT[0]} … +{p.TAILS_PERCENT[-1]}%"
    damping = f"0.{p.TAIL_DAMPING_PERCENT} x {p.SCAN_WIDTH_PERCENT}% / |m|"
    powers = f"0.{p.SHOCK_POWER_SHORT_PERCENT} to {p.SHOCK_REFERENCE_DAYS} days, "
    powers += f"0.{p.SHOCK_POWER_LONG_PERCENT} beyond, terms below a day like a day"
    assert p.SHOCK_SHORTEST_DAYS == 1
    end = millions(p.CONCENTRATED_NOTIONAL_MICRO)
    return {
        "width of the scan": f"{p.SCAN_WIDTH_PERCENT}%",
        "step": f"{p.MOVES_PERCENT[1] - p.MOVES_PERCENT[0]}%",
        "tails": f"{tails}, x {damping}",
        "volatility up, down": f"+{p.VOL_UP_PERCENT}% f, -{p.VOL_DOWN_PERCENT}% f",
        "p": powers,
        "initial, maintenance": f"{p.INITIAL_PERCENT}%, {p.MAINTENANCE_PERCENT}% of the worst"
        " scenario",
        "netting between underlyings": f"{p.NETTING_PERCENT}% of what the worst of all together"
        " is better",
        "delta": f"a move of ±{p.FEATURE_MOVE_PERCENT}%, x {p.DELTA_NOTIONAL}",
        "roll": f"{share(p.ROLL_E6)} of an expiry's delta notional, and"
        f" {share(p.ROLL_PER_YEAR_E6)} for a year, at most one",
        "basis": f"{share(p.BASIS_PER_YEAR_E6)} a year, at most"
        f" {YEARS[p.BASIS_LONGEST_YEARS]}, of the delta notional of all expiries, signed",
        "perpetual premium": f"{share(p.PERPETUAL_E6)} of its delta notional",
        "term vega": f"{share(p.TERM_VEGA_E6)} of each expiry's vega",
        "skew": f"{share(p.SKEW_E6)} of vega x tilt, or of vega x |tilt|, whichever is more",
        "width of a tilt": f"{p.TILT_WIDTH_DEVIATIONS} at-the-money deviations",
        "vanna, charm": "a quarter of the shock up and one day, then a move of"
        f" {p.DRIFT_MOVE_PERCENT}%",
        "short-option minimum": f"{share(p.SHORT_OPTION_E6)} of the index for each lot short at a"
        " strike",
        "concentration": f"from {end} USDC of delta notional, and of short options:"
        f" {share(p.CONCENTRATED_DELTA_E6)}, {share(p.CONCENTRATED_SHORT_E6)} x excess² / {end}",
        "tiers": ", ".join(f"{25 * quarters}%" for quarters in p.RISK_TIER_QUARTERS)
        + " of the scan and the charges",
        "equity for portfolio margin": f"{p.PORTFOLIO_EQUITY_MICRO // 10**6:,} USDC for whoever"
        " goes over to it",
        "distress band": f"{share(p.DISTRESS_BAND_E6)} of the index per lot, fees included",
        "peg of a stable": f"{p.PEG_CHARGE_E4 // 100}% of what counts of it",
        "conversion allowance": f"{p.CONVERSION_ALLOWANCE_MICRO // 10**6} USDC of cash below zero",
    }


def names() -> dict[str, str]:
    """Every name of the module with the text that follows it, its own or the next one's."""
    tree = ast.parse(MODULE.read_text("utf8")).body
    found: dict[str, str] = {}
    for at, node in enumerate(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            texts: list[str] = []
            for after in tree[at + 1 : at + 4]:
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    texts.append(str(after.value.value))
            before = tree[at - 1]
            if not texts and isinstance(before, ast.Expr):
                assert isinstance(before.value, ast.Constant)
                texts.append(str(before.value.value))
            found[node.target.id] = " ".join(texts)
    return found


def test_each_row_of_the_page_says_what_the_module_says() -> None:
    assert {name: value for name, (value, _) in rows().items()} == written()


def test_each_row_and_each_name_has_a_source_or_says_that_it_is_decided_here() -> None:
    assert p.VANNA_SHARE_E6 == 10**6 // 4, "a quarter, as the row says"
    assert p.CHARM_DAYS == 1
    for name, (_, reason) in rows().items():
        assert re.search(r"PM2|Deribit|ours", reason), name
    for name, text in names().items():
        if name != "DELTA_NOTIONAL":  # it follows from the move before it
            assert any(source in text for source in SOURCES), name


def test_each_name_is_asserted_on_a_page_that_is_run() -> None:
    blocks = "".join(
        block
        for page in PAGES
        for block in re.findall(
            r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text("utf8"), re.M | re.S
        )
    )
    missing = [name for name in names() if not re.search(rf"\b{name}\b", blocks)]
    assert missing == []

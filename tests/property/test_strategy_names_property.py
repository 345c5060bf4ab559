"""Names of strategies: read back into the legs that they were made of, one name a strategy."""

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from exchange.strategy_names import SHAPES, legs_text, strategy_legs, strategy_name
from exchange.symbols import legs_symbol, resolve_symbol
from matching.combos import MAX_LEGS, canonical_legs
from matching.instruments import (
    CALL,
    FUTURE,
    PERPETUAL,
    PUT,
    Expiry,
    Instrument,
    Underlying,
)
from matching.rejects import Reject

BTC, ETH = Underlying(0, "BTC", 1_000_000), Underlying(1, "ETH", 1_000_000)
DATES_S = (1_767_340_800, 1_774_598_400, 1_782_460_800)  # 2JAN26, 27MAR26, 26JUN26
STRIKES = (900_000_000, 905_000_000, 950_000_000, 1_000_000_000, 9_000_025)


def listed() -> list[Instrument]:
    """A chain in an order in which no trader would list it: so canonical signs are of all kinds."""
    specs: list[tuple[int, Underlying, int | None, int]] = [
        (kind, BTC, date, strike)
        for kind in (PUT, CALL)
        for date in (1, 0, 2)
        for strike in reversed(STRIKES)
    ]
    specs += [(CALL, ETH, 1, STRIKES[0]), (FUTURE, BTC, 2, 0), (PERPETUAL, BTC, None, 0)]
    specs += [(FUTURE, BTC, 0, 0), (FUTURE, BTC, 1, 0), (PERPETUAL, ETH, None, 0)]
    return [
        Instrument(
            number,
            kind,
            underlying,
            None if date is None else Expiry(date, underlying, DATES_S[date]),
            strike,
            10_000,
        )
        for number, (kind, underlying, date, strike) in enumerate(specs)
    ]


LISTED = listed()
NUMBERS = {instrument.symbol: instrument.number for instrument in LISTED}

ratios = st.sampled_from([1, -1, 1, -1, 2, -2, 3]) | st.integers(-127, 127).filter(bool)
any_legs = st.lists(
    st.tuples(st.integers(0, len(LISTED) - 1), ratios), min_size=1, max_size=MAX_LEGS
)


@st.composite
def shaped_legs(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Legs of one known shape, or nearly: dates and strikes come in any order."""
    shape = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]
    dates = draw(st.permutations([0, 1, 2, None]))
    strikes = draw(st.permutations(STRIKES))
    turn = draw(st.sampled_from([1, -1]))
    found: dict[tuple[int, int | None, int], int] = {}
    for kind, date, strike, ratio in shape.legs:
        of_kind = {"C": CALL, "P": PUT, "F": FUTURE}[kind]
        moment = dates[date]
        if kind != "F" and moment is None:
            moment = dates[-1]
        if kind == "F" and moment is None:
            of_kind = PERPETUAL
        leg = (of_kind, moment, 0 if kind == "F" else strikes[strike])
        found[leg] = found.get(leg, 0) + turn * ratio
    legs: list[tuple[int, int]] = []
    for instrument in LISTED:
        if instrument.underlying is BTC:
            expiry = None if instrument.expiry is None else instrument.expiry.number
            ratio = found.get((instrument.kind, expiry, instrument.strike_micro), 0)
            if ratio:
                legs.append((instrument.number, ratio))
    return legs


@given(any_legs | shaped_legs())
@example([(0, 1), (1, -1)])
def test_a_symbol_is_read_back_as_the_same_canonical_legs(written: list[tuple[int, int]]) -> None:
    legs, _, _ = canonical_legs(written)
    if not legs:
        return
    symbol = legs_symbol(legs, LISTED)
    assert resolve_symbol(symbol, NUMBERS) == legs
    mirror = tuple((number, -ratio) for number, ratio in legs)
    turned = legs_symbol(mirror, LISTED)
    assert resolve_symbol(turned, NUMBERS) == mirror
    if len(legs) > 1 and "*" not in symbol:
        assert turned == (symbol[1:] if symbol[0] == "-" else f"-{symbol}")


@given(st.lists(any_legs | shaped_legs(), min_size=2, max_size=8))
def test_no_two_strategies_share_a_symbol(several: list[list[tuple[int, int]]]) -> None:
    of_symbol: dict[str, tuple[tuple[int, int], ...]] = {}
    for written in several:
        legs, _, _ = canonical_legs(written)
        if legs:
            assert of_symbol.setdefault(legs_symbol(legs, LISTED), legs) == legs


@given(
    st.text("-_BTCERPGSUDJOANMFI0123456789d", max_size=50)
    | st.tuples(
        st.sampled_from(["", "-", "--"]),
        st.sampled_from(["BTC", "ETH", "XRP", ""]),
        st.sampled_from([*SHAPES, "CSR12", "PSR21", "CSR22", "CSR10", "CSR123", "CS1", "XX"]),
        st.lists(st.sampled_from(["27MAR26", "26JUN26", "PERP", "27XXX26", "2JAN26"]), max_size=3),
        st.lists(st.sampled_from(["90000", "100000", "90500", "900d0025", "09", ""]), max_size=5),
    ).map(
        lambda drawn: (
            f"{drawn[0]}{drawn[1]}-{drawn[2]}-{'_'.join(drawn[3])}"
            + (f"-{'_'.join(drawn[4])}" if drawn[4] else "")
        )
    )
)
@example("BTC-FS-26JUN26_PERP")
@example("-BTC-PSR21-27MAR26-100000_90000")
@example("BTC-CS-27MAR26-d_")
def test_any_text_is_the_one_name_of_its_legs_or_no_name(text: str) -> None:
    legs = strategy_legs(text)
    if legs is not None:
        assert strategy_name(legs) == text
        assert legs_text(legs[::-1]) == text
    resolved = resolve_symbol(text, NUMBERS)
    if legs is None and "*" not in text and text not in NUMBERS:
        assert isinstance(resolved, Reject)


def test_every_shape_says_what_only_it_can_say() -> None:
    """No two codes could name the same legs, mirrored or not, by any dates and strikes."""
    for (code, shape), (other, second) in combinations(SHAPES.items(), 2):
        both = [sorted(each.legs) for each in (shape, second)]
        turned = sorted((kind, date, strike, -ratio) for kind, date, strike, ratio in second.legs)
        if (shape.dates, shape.strikes, shape.order) == (
            second.dates,
            second.strikes,
            second.order,
        ):
            assert both[0] != both[1], f"{code} is {other}"
            assert both[0] != turned, f"{code} is the mirror image of {other}"

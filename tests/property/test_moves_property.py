"""Positions that change hands without a trade leave everything else as it was."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.handlers.accounts import settle_position
from exchange.invariants import check, excess_micro
from margin.moves import move_lots
from tests.floor import BTC_INDEX, LISTINGS, Floor, open_floor

RICH = 10**15
moves = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(0, len(LISTINGS) - 1), st.integers(-9, 9)
    ),
    max_size=8,
)


def a_market(percent: int) -> Floor:
    """Three accounts with positions in everything, and marks that moved since."""
    floor = open_floor(3, RICH, watched=False)
    for number in range(len(LISTINGS)):
        floor.sell(number % 3, floor.near(number), 5, number)
        floor.buy((number + 1) % 3, floor.near(number), 5, number)
    floor.mark(0, BTC_INDEX * percent // 100)
    return floor


@given(moves, st.integers(70, 130))
def test_moves_keep_every_invariant_and_what_all_accounts_are_worth(
    program: list[tuple[int, int, int, int]], percent: int
) -> None:
    floor = a_market(percent)
    state = floor.state
    portfolio = state.portfolio
    marks = [state.marks.mark_micro(i) * (not i.is_linear) for i in state.instruments]
    for giver, taker, number, lots in program:
        if giver == taker:
            continue
        instrument = state.instruments[number]
        both = [floor.account(giver), floor.account(taker)]
        for account in both:
            settle_position(state, instrument, account, [].append)
        before = [portfolio.requirement(account).equity_micro for account in both]
        move_lots(portfolio, *both, instrument, lots)
        after = [portfolio.requirement(account).equity_micro for account in both]
        worth = lots * marks[number]
        assert after == [before[0] - worth, before[1] + worth]
        state.groups.clear()  # a move alone is no record, so the ledger is left out
        state.record(bytes(31))
        assert check(state) == []
        for account in both:
            assert portfolio.excess_micro(account) == excess_micro(state, account)

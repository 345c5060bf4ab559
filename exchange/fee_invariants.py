"""What must hold of levels of warning and of funding after every command.

Holds: a level is what its breaker warns of at the last update of the marks; a rate is what its
premium makes it; less than a micro-USDC of a lot is carried.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.state import State
from margin.funding import CARRY_UNIT, rate_of


def broken_fees(state: State) -> Iterator[str]:
    """All that is broken, in sentences."""
    levels = state.portfolio.fee_levels
    if state.portfolio.schedule.rebate_step:
        for number in range(len(state.underlyings)):
            breaker = state.breakers.get(number)
            warning = 0 if breaker is None else breaker.warning()
            level = levels.get(number, 0)
            if level != warning:
                yield f"underlying {number}: level {level}, the warning is {warning}"
    elif levels:
        yield f"levels of warning without a rebate step: {levels}"
    for number, funding in state.funding.items():
        here = f"funding of instrument {number}"
        rate = rate_of(funding.premium_e9, funding.band_e6, funding.cap_e6)
        if funding.rate_e9 != rate:
            yield f"{here}: rate {funding.rate_e9}, the premium makes it {rate}"
        if not 0 <= funding.carried < CARRY_UNIT:
            yield f"{here}: carries {funding.carried}, not less than a micro-USDC"
        if max(funding.sampled_s, funding.accrued_s) > state.time_s:
            yield f"{here}: sampled or accrued ahead of the time"

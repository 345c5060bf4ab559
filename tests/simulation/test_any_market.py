"""Markets that nobody has told: whatever the path, the bidders, the fund and the oracle, clearing
keeps what it promises after every command.
"""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.simulation.agents import USDC
from tests.simulation.market import Market, Terms
from tests.simulation.paths import PATHS


@settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    st.builds(
        Terms,
        seed=st.integers(0, 2**20),
        path=st.sampled_from(sorted(PATHS)),
        moments=st.just(150),
        bids=st.sampled_from((-1, 0, 30, 120)),
        fund_micro=st.sampled_from((0, 1_000 * USDC, 100_000 * USDC)),
        oracle=st.booleans(),
        lossy=st.booleans(),
        breakers=st.booleans(),
        one_sided=st.booleans(),
        step_s=st.just(10),
        check_every=st.just(100),
    )
)
def test_any_market_keeps_what_clearing_promises(terms: Terms) -> None:
    """A market that fails is told whole by its terms: there is nothing to shrink."""
    Market(terms).run()

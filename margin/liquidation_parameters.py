"""Every number of liquidation, with its unit, its source and its reason.

Holds: whoever changes how accounts are liquidated changes this table and nothing else;
docs/liquidation.md repeats it, and the tests compare.
Never: computes anything beyond what a table needs.

Sources: [Derive] its Dutch auctions of portfolio shares, from whose published contract the shape of
the path and the formula of the share are; [house] decided here.
"""

from typing import Final

_SECOND_NS: Final = 1_000_000_000

# WHEN

CALL_PERCENT: Final = 100
"""Margin call: equity below this share of the scan's worst loss, W. Deposits or smaller risk are
asked for while four fifths of the way down are still to go. [house]"""
# Liquidation begins below `parameters.MAINTENANCE_PERCENT` of W: 80%.

MARK_AGE_S: Final = 60
"""Nothing is decided for an account while a mark that it stands on is older, in seconds: a feed
that stopped liquidates nobody. [house]"""

# STEPS AGAINST THE BOOK

STEP_INTERVAL_NS: Final = _SECOND_NS
"""At most one step of an account in this time: the book is given time to refill. [house]"""

STEP_SHARE_E4: Final = 2_000
"""A step trades at most this share of the position, in 1e-4, and at least a lot: a fifth. Five
steps close what one order would have pushed through the book. [house]"""

DEPTH_SHARE_E4: Final = 5_000
"""A step takes at most this share of what the book shows within the band, in 1e-4, and at least a
lot. [house]"""

BAND_E6: Final = 4_000
"""How far beyond the mark a step may trade, in 1e-6 of the index: 0.4%, which with the taker's fee
stays within what an account short of margin may pay anyway (`DISTRESS_BAND_E6`). [house]"""

FEE_E6: Final = 1_000
"""Liquidation fee of a step, in 1e-6 of the index per lot, into the insurance fund: it makes being
liquidated dearer than reducing in time. [house]"""

FEE_CAP_E4: Final = 1_250
"""The same fee is at most this share of an option's premium, in 1e-4, like every fee. [house]"""

PATIENCE_NS: Final = 30 * _SECOND_NS
"""How long steps are tried before what is left goes to auction. [house]"""

ORDER_LIFE_S: Final = 60
"""Until when the slot of a step's order stays taken; the order itself never rests. [house]"""

# AUCTION

BUFFER_PERCENT: Final = 20
"""An auction sells until equity is above maintenance by this share of W: with 80% for maintenance,
at the call line, where liquidation ends. [Derive has a buffer; house its size]"""

DISCOUNT_START_E6: Final = 980_000
DISCOUNT_KNEE_E6: Final = 800_000
"""A share is offered for so much of its worth at the marks, in 1e-6: from 98% down to 80% fast,
then slowly to nothing. [Derive: shape; house: numbers]"""

FAST_NS: Final = 60 * _SECOND_NS
SLOW_NS: Final = 540 * _SECOND_NS
"""How long the two parts take: a minute finds the price of a portfolio that somebody wants; nine
more that of one that nobody does. [house]"""

INSOLVENT_NS: Final = 300 * _SECOND_NS
"""In this time the insurance fund's payment rises from nothing to W less equity for the whole
portfolio: then whoever takes it has its initial margin with it. [house]"""

# DELEVERAGING

EPOCH_S: Final = 3_600
"""Losses of solvent accounts are counted in epochs of this length, in seconds. [house]"""

LOSS_CAP_E4: Final = 500
"""Most that deleveraging takes from one account in an epoch, in 1e-4 of its equity: 5%. [house]"""

LOSS_CAP_ALL_E4: Final = 200
"""Most that it takes from all solvent accounts together in an epoch, in 1e-4 of their equity: 2%.
[house]"""

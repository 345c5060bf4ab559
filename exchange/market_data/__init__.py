"""Market data: what everyone may see of the market, learned from the core's events alone.

Holds: `PublicMarket` (`market.py`) takes (sequence, time_ns, events) of each command, live and in a
replay alike, and keeps the books (`shown_book.py`), the trades (`tape.py`), the statistics of a day
(`statistics.py`), the open interest (`open_interest.py`) and the trading states. `displayed.py`
says how much of an order is shown; `following.py` is the other end of the wire: a book rebuilt from
a snapshot and what came after it.
Never: reads the engine's state, but what an instrument is (symbol, expiry), which never changes;
names an account.
"""

from exchange.market_data.market import PublicMarket as PublicMarket

"""Parameters of the methods that ask for margin that nobody has yet.

Holds: as in `requests.py`; decimals stay text until the lot is known that they must be whole of.
Never: judges a value that the wire could carry.
"""

from typing import Annotated

from msgspec import Meta, Struct

from exchange.gateway_rpc.requests import U32, Params, Symbol

DecimalText = Annotated[str, Meta(min_length=1, max_length=40)]


class TradeText(Struct, forbid_unknown_fields=True):
    """A trade as people write it: a negative quantity sells; without a price, at the mark."""

    symbol: Symbol
    quantity: DecimalText
    price: DecimalText | None = None


class HeldText(Struct, forbid_unknown_fields=True):
    symbol: Symbol
    quantity: DecimalText


class OfWhatIf(Params):
    """After `trades`; where it `rests`, with the one of them as an open order instead."""

    account: U32
    trades: Annotated[list[TradeText], Meta(min_length=1, max_length=64)]
    rests: bool = False


class OfPortfolio(Params):
    cash: DecimalText
    positions: Annotated[list[HeldText], Meta(max_length=256)]

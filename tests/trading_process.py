"""A process that runs an exchange on a journal and says each acknowledgement, until it is killed.

    python -m tests.trading_process DIRECTORY

Holds: the same orders in every run; a line is written only after `Exchange.place` answered.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange import commands as c
from exchange.journal import JournalError
from exchange.service import Exchange
from matching.orders import BUY, GTC, SELL
from settlement.signature import Signer
from settlement.signed_messages import NO_ORDER, Order
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CHAIN_ID,
    DAY_S,
    HUGE_FEE,
    LISTINGS,
    MARCH,
    NS,
    SETTLEMENT,
    SMILE,
    START_S,
)
from tests.published import DOMAIN, PRICE, WALLETS

OPERATOR_KEY: Final = Signer(b"\x07" * 32)
TOGETHER: Final = 8
"""Orders in flight at once, so that groups form."""
_OFFSET_NS: Final = START_S * NS - time.time_ns()


def clock() -> int:
    return time.time_ns() + _OFFSET_NS


def signed_orders(count: int | None = None) -> Iterator[tuple[Order, bytes]]:
    """Accounts 0 and 1 trade with each other, at two prices, one lot at a time."""
    for salt in itertools.count(1) if count is None else range(1, count + 1):
        account, price = salt % 2, PRICE + 10_000 * (salt % 3)
        order = Order(
            account, 0, SELL if account else BUY, GTC, 0, price, 1 + salt % 4, HUGE_FEE,
            START_S + DAY_S, salt, NO_ORDER, ((CALL_90, 1),),
        )  # fmt: skip
        yield order, WALLETS[account].sign(order, DOMAIN).signature


async def open_exchange(exchange: Exchange) -> None:
    await exchange.submit(
        lambda t, _: c.Genesis(
            t, CHAIN_ID, SETTLEMENT, OPERATOR_KEY.address, 300, 500, 1_250, 0, 1_000, 0, 18
        )
    )
    await exchange.submit(lambda t, _: c.ListUnderlying(t, 0, b"BTC".ljust(8, b"\0"), 1_000_000))
    await exchange.submit(lambda t, _: c.ListExpiry(t, 0, 0, MARCH))
    for number, listing in enumerate(LISTINGS[:6]):
        await exchange.submit(lambda t, _, n=number, one=listing: c.ListInstrument(t, n, *one))
    for number in range(2):
        owner = WALLETS[number].address
        await exchange.submit(lambda t, _, n=number, o=owner: c.OpenAccount(t, 2 * n, n, o))
        await exchange.submit(lambda t, _, n=number: c.CreditDeposit(t, 2 * n + 1, n, 0, 10**12))
    mark = (0, BTC_INDEX * 101 // 100, *SMILE)
    await exchange.submit(lambda t, _: c.UpdateMarks(t, 0, BTC_INDEX, (mark,)))


async def trade(directory: Path) -> None:
    exchange = Exchange.open(directory, OPERATOR_KEY, clock=clock)
    exchange.start()
    await open_exchange(exchange)
    orders = signed_orders()
    while True:
        verdicts = await asyncio.gather(
            *(exchange.place(*signed) for signed in itertools.islice(orders, TOGETHER))
        )
        for verdict in verdicts:
            word = verdict.acknowledgement
            assert word is not None, verdict.reject
            parts = (word.order_hash, word.journal_hash, word.signature)
            sys.stdout.write(f"{word.sequence} {' '.join(part.hex() for part in parts)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(trade(Path(sys.argv[1])))
    except JournalError as error:
        sys.exit(str(error))

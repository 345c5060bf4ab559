"""A small exchange from which tests tell their stories: three accounts, one expiry, four markets.

Holds: account n has a deposit and an open order in slot n + 1; every market is marked at FORWARD.
"""

from margin.fees import FeeSchedule
from settlement.ledger import Ledger
from settlement.records import fill_record, instrument_listed_record, order_opened_record
from tests.model.lawful_records import RATES, Operator
from tests.model.ledger import GENESIS

PERPETUAL, FUTURE, CALL, PUT = range(4)  # the instruments of an operator's first expiry
CALL_STRIKE, PUT_STRIKE = 950_000_000, 960_000_000
DEPOSIT = 10**11
MAKER_SLOT, TAKER_SLOT = 1, 2
TAKER_BUYS, TAKER_SELLS = 7, 6  # with both orders advancing


def small_exchange() -> Ledger:
    ledger = Ledger(GENESIS, FeeSchedule(*RATES))
    apply(ledger, *(record for group in Operator().groups for record in group))
    apply(ledger, *(order_opened_record(n, n + 1, bytes(32)) for n in range(3)))
    return ledger


def apply(ledger: Ledger, *records: bytes) -> None:
    """Lawful records, one by one; none may lose or make a micro-USDC."""
    for record in records:
        assert ledger.apply(record) is None
        owed = ledger.credited_micro - ledger.withdrawn_micro
        assert ledger.liabilities() == ledger.recount() == owed


def traded(instrument: int, lots: int, ticks: int, flags: int = TAKER_BUYS) -> bytes:
    """Account 1 trades with account 0, the maker."""
    return fill_record(flags, 0, MAKER_SLOT, 1, TAKER_SLOT, instrument, lots, ticks)


def spread(flags: int, *ticks: int) -> list[bytes]:
    """Account 1 and account 0 trade 5 units of +1 call -2 puts, as combo orders."""
    legs = ((CALL, 5, flags & 1), (PUT, 10, 1 - flags & 1))
    parties = (0, MAKER_SLOT, 1, TAKER_SLOT)
    return [
        fill_record(buys, *parties, instrument, lots, price)
        for (instrument, lots, buys), price in zip(legs, ticks, strict=True)
    ]


def fill_up(ledger: Ledger, account: int, count: int) -> None:
    """Gives an account `count` positions of a lot: the call, and others listed beside it."""
    apply(ledger, fill_record(7, 0, MAKER_SLOT, account, TAKER_SLOT, CALL, 1, 100))
    for number in range(4, 3 + count):
        apply(
            ledger,
            instrument_listed_record(number, CALL, 0, 0, number, 10_000),
            fill_record(7, 2, 3, account, TAKER_SLOT, number, 1, 100),
        )

"""Cash that leaves: never more than is free, never more than the Vault holds, each message once."""

from exchange import commands as c
from exchange import events as e
from exchange.handlers.accounts import free_micro
from exchange.invariants import excess_micro
from matching import rejects as r
from matching.rejects import Reject
from settlement.record_types import POSITION_SETTLED, WITHDRAWAL_REQUESTED
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    PERP,
    Floor,
    open_floor,
    refusal,
    was_accepted,
)


def free(floor: Floor, account: int) -> int:
    return free_micro(floor.state, floor.account(account))


def test_a_withdrawal_leaves_the_account_and_waits_under_its_number() -> None:
    floor = open_floor()
    for number, amount in enumerate((5, 7, 11)):
        (event,) = floor.withdraw(0, amount)
        cash = 50_000_000_000 - sum((5, 7, 11)[: number + 1])
        assert event == e.WithdrawalRequested(0, 0, amount, number, cash)
    assert floor.state.withdrawn_micro == 23
    floor.cut()
    ledger = floor.state.ledger
    assert ledger is not None
    assert ledger.withdrawal_count == 3


def test_all_of_an_idle_account_may_leave() -> None:
    floor = open_floor()
    assert was_accepted(floor.withdraw(0, 50_000_000_000))
    assert floor.account(0).cash_micro == 0
    assert refusal(floor.withdraw(0, 1)) == Reject(r.WITHDRAWAL_TOO_LARGE, 1, 0)


def test_value_that_is_no_cash_cannot_leave() -> None:
    """An option is worth something and bears margin, but only cash can be paid out."""
    floor = open_floor()
    floor.sell(1, 90_000_000, 100, CALL_90)
    holder = floor.open_account(100 * 90_000_000 + 2 * 10**9)
    floor.buy(holder, 90_000_000, 100, CALL_90)
    floor.mark(0, BTC_INDEX * 2)
    cash = floor.account(holder).cash_micro
    assert excess_micro(floor.state, floor.account(holder)) > cash
    assert free(floor, holder) == cash


def test_what_has_accrued_is_cash_and_comes_first() -> None:
    floor = open_floor()
    price = floor.near(PERP)
    floor.sell(1, price, 10, PERP)
    floor.buy(0, price, 10, PERP)
    floor.mark(0, BTC_INDEX * 11 // 10)
    gained = 10 * (BTC_INDEX * 11 // 10 - BTC_INDEX)
    cash = floor.account(0).cash_micro
    floor.cut()
    events = floor.withdraw(0, 5)
    assert [type(event) for event in events] == [e.PositionSettled, e.WithdrawalRequested]
    assert floor.account(0).cash_micro == cash + gained - 5
    kinds = [record[0] for group in floor.state.groups for record in group]
    assert kinds == [POSITION_SETTLED, WITHDRAWAL_REQUESTED]
    floor.cut()


def test_what_has_accrued_against_an_account_is_not_free() -> None:
    floor = open_floor()
    price = floor.near(PERP)
    floor.sell(1, price, 10, PERP)
    floor.buy(0, price, 10, PERP)
    floor.mark(0, BTC_INDEX // 2)
    lost = 10 * (BTC_INDEX - BTC_INDEX // 2)
    at_most = floor.account(0).cash_micro - lost
    assert free(floor, 0) < at_most
    assert refusal(floor.withdraw(0, at_most)).code == r.WITHDRAWAL_TOO_LARGE


def test_a_winner_cannot_take_more_than_the_vault_holds() -> None:
    """The loser's cash is below zero: what he owes has not come in and cannot go out. The ledger
    refuses such a record, so the engine must refuse the command.
    """
    floor = open_floor(0)
    floor.open_account(1_000_000_000)
    floor.open_account(1_000_000_000)
    price = floor.near(PERP)
    floor.sell(1, price, 4, PERP)
    floor.buy(0, price, 4, PERP)
    floor.mark(0, BTC_INDEX * 2)
    floor.sell(0, floor.near(PERP), 4, PERP)
    bystander = floor.open_account(10**13)
    floor.buy(bystander, floor.near(PERP), 4, PERP)
    assert floor.withdraw(bystander, free(floor, bystander))
    floor.withdraw(1, 1)
    held = floor.state.credited_micro - floor.state.withdrawn_micro
    assert floor.account(0).cash_micro > held
    assert free(floor, 0) == held
    assert refusal(floor.withdraw(0, held + 1)) == Reject(r.WITHDRAWAL_TOO_LARGE, held + 1, held)
    assert was_accepted(floor.withdraw(0, held))
    floor.cut()


def test_an_account_under_margin_withdraws_nothing() -> None:
    floor = open_floor(0)
    floor.open_account(1_000_000_000)
    floor.open_account(10**12)
    floor.buy(1, 955_000_000, 5, PERP)
    floor.sell(0, 955_000_000, 5, PERP)
    floor.mark(0, BTC_INDEX * 13 // 10)
    assert refusal(floor.withdraw(0, 1)) == Reject(r.WITHDRAWAL_TOO_LARGE, 1, 0)


def test_the_same_message_pays_once_and_another_salt_again() -> None:
    floor = open_floor()
    assert was_accepted(floor.withdraw(0, 5, salt=1))
    assert refusal(floor.withdraw(0, 5, salt=1)) == Reject(r.MESSAGE_ALREADY_USED)
    assert was_accepted(floor.withdraw(0, 5, salt=2))
    assert floor.state.withdrawn_micro == 10


def test_a_refused_withdrawal_may_be_sent_again() -> None:
    floor = open_floor()
    assert refusal(floor.withdraw(0, 50_000_000_005, salt=1)).code == r.WITHDRAWAL_TOO_LARGE
    floor.deposit(0, 5)
    assert was_accepted(floor.withdraw(0, 50_000_000_005, salt=1))


def test_claims_are_noted_once_and_move_nothing() -> None:
    floor = open_floor()
    floor.withdraw(0, 5)
    cash = floor.account(0).cash_micro
    (event,) = floor.send(c.RecordClaim(floor.time_ns, 0, 5))
    assert event == e.ClaimRecorded(0, 5)
    assert refusal(floor.send(c.RecordClaim(floor.time_ns, 1, 5))) == Reject(r.UNKNOWN_ORDER, 1)
    assert floor.account(0).cash_micro == cash

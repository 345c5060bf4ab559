"""The ledger: what each record does to cash and positions, in worked examples."""

import pytest

from margin.fees import FeeSchedule, fee_up
from settlement.inbox import account_entry, chained, deposit_entry, key_entry
from settlement.keccak import keccak256
from settlement.leaves import account_payload, position_payload
from settlement.ledger import Ledger
from settlement.records import (
    account_opened_record,
    accrual_updated_record,
    combo_filled_record,
    deposit_credited_record,
    expiry_settled_record,
    fill_record,
    index_updated_record,
    key_registered_record,
    mark_updated_record,
    padding_record,
    position_settled_record,
    withdrawal_requested_record,
)
from settlement.tree import EMPTY_ROOT, proves_absence, proves_presence
from settlement.violations import Violation
from tests.model.lawful_records import FORWARD, RATES, START_S
from tests.model.ledger import GENESIS
from tests.model.small_exchange import (
    CALL,
    CALL_STRIKE,
    DEPOSIT,
    FUTURE,
    MAKER_SLOT,
    PERPETUAL,
    PUT,
    PUT_STRIKE,
    TAKER_BUYS,
    TAKER_SELLS,
    TAKER_SLOT,
    apply,
    fill_up,
    small_exchange,
    spread,
    traded,
)


@pytest.fixture
def ledger() -> Ledger:
    return small_exchange()


def fee(rate: int, is_linear: bool, price_micro: int, lots: int) -> int:
    return fee_up(rate, RATES[2], is_linear, FORWARD, price_micro, lots)


def cash(ledger: Ledger) -> list[int]:
    return [account.cash_micro - DEPOSIT for account in ledger.accounts[:3]]


def test_a_new_exchange_has_no_state_but_its_parameters():
    ledger = Ledger(b"parameters", FeeSchedule(0, 0, 0))
    numbers = bytes(6 + 32 + 32 + 16 * 3 + 32 + 8 + 32 + 32 + 4 + 4)
    whole = keccak256(b"\x02" + numbers + keccak256(b"parameters"))
    assert ledger.root() == keccak256(b"\x03" + bytes(32) + whole)


# THE INBOX


def test_what_comes_through_the_vault_is_chained_as_the_vault_chains_it():
    ledger = Ledger(GENESIS, FeeSchedule(*RATES))
    owner, key = b"o" * 20, b"k" * 20
    apply(
        ledger,
        account_opened_record(0, owner),
        deposit_credited_record(0, 0, 5),
        key_registered_record(0, key, 1_800_000_000),
    )
    entries = [
        b"\x01" + bytes(4) + owner + bytes(15),
        b"\x02" + bytes(4) + owner + b"\0" + (5).to_bytes(8, "big") + bytes(6),
        b"\x03" + bytes(4) + key + bytes(9) + (1_800_000_000).to_bytes(6, "big"),
    ]
    assert entries == [
        account_entry(0, owner),
        deposit_entry(0, owner, 0, 5),
        key_entry(0, key, 1_800_000_000),
    ]
    digest = bytes(32)
    for entry in entries:
        assert len(entry) == 40
        assert chained(digest, entry) == keccak256(digest + entry)
        digest = chained(digest, entry)
    assert ledger.inbox_hash == digest
    assert ledger.inbox_cursor == 3
    assert ledger.accounts[0].key_hash == keccak256(bytes(32) + entries[2][5:25] + entries[2][-6:])


def test_a_withdrawal_leaves_cash_and_enters_the_withdrawal_root(ledger: Ledger):
    assert ledger.withdrawal_root() == EMPTY_ROOT
    apply(ledger, withdrawal_requested_record(1, 0, 77, 0))
    owner = ledger.accounts[1].owner
    payload = (1).to_bytes(4, "big") + owner + b"\0" + (77).to_bytes(8, "big")
    assert ledger.withdrawal_root() == keccak256(b"\x00" + bytes(4) + payload)
    assert cash(ledger) == [0, -77, 0]
    assert ledger.withdrawn_micro == 77


# FILLS


def test_an_option_is_paid_in_full_and_both_sides_pay_their_fee(ledger: Ledger):
    apply(ledger, traded(CALL, 3, 2_000))
    premium = 3 * 2_000 * 10_000
    maker_fee = fee(RATES[0], False, 20_000_000, 3)
    taker_fee = fee(RATES[1], False, 20_000_000, 3)
    assert cash(ledger) == [premium - maker_fee, -premium - taker_fee, 0]
    assert ledger.fee_micro == maker_fee + taker_fee > 0
    lots = [account.positions[CALL].quantity_lots for account in ledger.accounts[:2]]
    assert lots == [-3, 3]
    assert ledger.accounts[0].orders[MAKER_SLOT].filled_lots == 3
    assert ledger.accounts[1].orders[TAKER_SLOT].filled_lots == 3


def test_a_position_that_comes_back_to_zero_is_gone(ledger: Ledger):
    apply(ledger, traded(CALL, 3, 2_000), traded(CALL, 3, 2_000, TAKER_SELLS))
    assert not ledger.accounts[0].positions
    assert not ledger.accounts[1].positions
    assert ledger.accounts[0].position_tree.root() == EMPTY_ROOT


def test_a_perpetual_costs_only_its_distance_from_the_mark(ledger: Ledger):
    ticks = FORWARD // 10_000 + 1  # 8,400 micro-USDC above the mark
    apply(ledger, traded(PERPETUAL, 2, ticks))
    fees = [fee(rate, True, 0, 2) for rate in RATES[:2]]
    assert cash(ledger) == [2 * 8_400 - fees[0], -2 * 8_400 - fees[1], 0]


def test_a_perpetual_gains_with_the_index_once_it_is_settled(ledger: Ledger):
    apply(ledger, traded(PERPETUAL, 2, FORWARD // 10_000))
    before = cash(ledger)
    apply(
        ledger,
        index_updated_record(0, FORWARD + 500, START_S),
        accrual_updated_record(PERPETUAL, 500, FORWARD + 500),
    )
    assert cash(ledger) == before
    apply(ledger, position_settled_record(1, PERPETUAL))
    assert cash(ledger) == [before[0], before[1] + 1_000, 0]
    apply(ledger, position_settled_record(0, PERPETUAL))
    assert cash(ledger) == [before[0] - 1_000, before[1] + 1_000, 0]


def test_funding_is_what_longs_pay_to_shorts(ledger: Ledger):
    apply(ledger, traded(PERPETUAL, 2, FORWARD // 10_000))
    before = cash(ledger)
    apply(ledger, accrual_updated_record(PERPETUAL, -30, FORWARD))
    apply(ledger, *(position_settled_record(n, PERPETUAL) for n in (0, 1)))
    assert cash(ledger) == [before[0] + 60, before[1] - 60, 0]


def test_trading_at_any_price_and_back_at_the_mark_leaves_the_difference(ledger: Ledger):
    mark = FORWARD // 10_000
    index = mark * 10_000  # a mark on the tick
    apply(
        ledger,
        index_updated_record(0, index, START_S),
        accrual_updated_record(PERPETUAL, index - FORWARD, index),
        traded(PERPETUAL, 5, mark - 300),
        traded(PERPETUAL, 5, mark, TAKER_SELLS),
    )
    fees = [2 * fee_up(rate, 0, True, index, 0, 5) for rate in RATES[:2]]
    assert cash(ledger) == [-5 * 3_000_000 - fees[0], 5 * 3_000_000 - fees[1], 0]


# EXPIRY


def test_options_pay_what_they_are_worth_at_expiry(ledger: Ledger):
    apply(ledger, traded(CALL, 3, 0), traded(PUT, 4, 0))
    settlement = 955_000_000
    before = cash(ledger)
    apply(ledger, expiry_settled_record(0, settlement))
    for number in (1, 0):
        apply(ledger, position_settled_record(number, CALL), position_settled_record(number, PUT))
    gain = 3 * (settlement - CALL_STRIKE) + 4 * (PUT_STRIKE - settlement)
    assert cash(ledger) == [before[0] - gain, before[1] + gain, 0]
    assert not any(account.positions for account in ledger.accounts)


@pytest.mark.parametrize("settlement", [949_999_999, CALL_STRIKE])
def test_a_call_that_ends_out_of_the_money_pays_nothing(ledger: Ledger, settlement: int):
    apply(ledger, traded(CALL, 3, 0), expiry_settled_record(0, settlement))
    before = cash(ledger)
    apply(ledger, position_settled_record(0, CALL), position_settled_record(1, CALL))
    assert cash(ledger) == before


def test_a_future_pays_from_its_price_to_the_settlement_price(ledger: Ledger):
    apply(ledger, traded(FUTURE, 2, FORWARD // 10_000))  # 1,600 micro-USDC below the mark
    before = cash(ledger)
    apply(
        ledger,
        mark_updated_record(0, FORWARD - 900, 0, 0, 0, 0, 1, 9),
        accrual_updated_record(FUTURE, -900, FORWARD - 900),
        expiry_settled_record(0, FORWARD + 2_000),
        accrual_updated_record(FUTURE, 2_000, FORWARD + 2_000),
        position_settled_record(0, FUTURE),
        position_settled_record(1, FUTURE),
    )
    assert cash(ledger) == [before[0] - 4_000, before[1] + 4_000, 0]


# COMBOS


@pytest.mark.parametrize("flags", [TAKER_BUYS, TAKER_SELLS])
def test_a_combo_advances_by_its_units_and_its_legs_not_at_all(ledger: Ledger, flags: int):
    net = (2_000 - 2 * 1_500) * 10_000
    apply(ledger, *spread(flags, 2_000, 1_500))
    assert ledger.accounts[0].orders[MAKER_SLOT].filled_lots == 0
    apply(ledger, combo_filled_record(flags, 0, MAKER_SLOT, 1, TAKER_SLOT, 5, net, 2))
    assert ledger.accounts[0].orders[MAKER_SLOT].filled_lots == 5
    assert ledger.accounts[1].orders[TAKER_SLOT].filled_lots == 5
    sign = 1 if flags & 1 else -1
    paid = fee(RATES[1], False, 20_000_000, 5) + fee(RATES[1], False, 15_000_000, 10)
    spared = fee(RATES[1], False, 20_000_000, 5) * RATES[5] // 100
    assert cash(ledger)[1] == -sign * 5 * net - paid + spared


def test_a_combo_may_open_its_last_position_before_it_closes_another(ledger: Ledger):
    """With 256 positions held, the legs together still hold 256."""
    fill_up(ledger, account=1, count=256)
    legs = (
        fill_record(0, 0, MAKER_SLOT, 1, TAKER_SLOT, PUT, 1, 100),
        fill_record(0, 0, MAKER_SLOT, 1, TAKER_SLOT, CALL, 1, 100),
    )
    apply(ledger, *legs)
    assert len(ledger.accounts[1].positions) == 256
    apply(ledger, combo_filled_record(6, 0, MAKER_SLOT, 1, TAKER_SLOT, 1, 2_000_000, 2))


# LEAVES AND PROOFS


def test_an_account_can_show_its_leaf_and_a_position_in_it(ledger: Ledger):
    apply(ledger, traded(CALL, 3, 2_000))
    account = ledger.accounts[1]
    leaf = account_payload(
        account.owner,
        account.cash_micro,
        EMPTY_ROOT,
        account.position_tree.root(),
        1,
        account.order_tree.root(),
        1,
        bytes(32),
        0,
        0,
    )
    assert len(leaf) == 20 + 16 + 32 + 32 + 2 + 32 + 4 + 32 + 4 + 1
    proof = ledger.account_proof(1)
    accounts_root = ledger.accounts_root()
    assert proves_presence(accounts_root, 1, leaf, proof.siblings)
    assert proves_absence(accounts_root, 3, ledger.account_proof(3))
    position = account.position_tree.proof(CALL)
    root = account.position_tree.root()
    assert proves_presence(root, CALL, position_payload(3, 0), position.siblings)
    assert ledger.root() == keccak256(b"\x03" + accounts_root + ledger.global_hash())


def test_padding_changes_nothing(ledger: Ledger):
    before = ledger.root()
    apply(ledger, padding_record())
    assert ledger.root() == before


def test_a_violation_says_what_it_got_and_what_is_allowed(ledger: Ledger):
    refused = ledger.apply(withdrawal_requested_record(1, 0, DEPOSIT + 1, 0))
    assert refused is not None
    assert refused == Violation(304, 1, DEPOSIT + 1, DEPOSIT)
    assert refused.name == "cash short"
    assert refused.message == f"{DEPOSIT + 1} micro-USDC are withdrawn; {DEPOSIT} are there"

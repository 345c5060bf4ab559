"""The ledger against its slow twin, on lawful programs and on programs with a lie in them."""

from hypothesis import given
from hypothesis import strategies as st

from margin.fees import FeeSchedule
from settlement.ledger import Ledger
from tests.model.lawful_records import RATES, Choice, choices, program
from tests.model.ledger import GENESIS, SlowLedger


def fresh() -> tuple[Ledger, SlowLedger]:
    return Ledger(GENESIS, FeeSchedule(*RATES)), SlowLedger(*RATES)


@given(choices)
def test_any_lawful_program_conserves_every_asset_and_has_the_slow_twins_roots(
    written: list[Choice],
):
    ledger, slow = fresh()
    for group in program(written).groups:
        for record in group:
            assert ledger.apply(record) is None
            assert slow.apply(record)
            owed = ledger.credited_micro - ledger.withdrawn_micro
            assert ledger.liabilities() == ledger.recount() == slow.liabilities() == owed
            for asset, totals in ledger.assets.items():
                held = ledger.recount_asset(asset)
                assert held == totals.credited_micro - totals.withdrawn_micro
                assert held == sum(one["collateral"].get(asset, 0) for one in slow.accounts)
        assert ledger.root() == slow.root()
        assert ledger.open_combo_violation() is None
    assert ledger.withdrawal_root() == slow.withdrawal_root()
    assert ledger.inbox_hash == slow.inbox_hash()


@given(choices, st.integers(0), st.lists(st.integers(0, 8 * 31 - 1), min_size=1, max_size=3))
def test_a_record_with_flipped_bits_is_judged_as_the_slow_twin_judges_it(
    written: list[Choice], where: int, bits: list[int]
):
    """The lie stands in for the record that it was made of. What follows may be lawful or not,
    and each ledger must think the same of each record.
    """
    ledger, slow = fresh()
    records = [record for group in program(written).groups for record in group]
    at = where % len(records)
    lie = bytearray(records[at])
    for bit in bits:
        lie[bit // 8] ^= 1 << bit % 8
    for record in (*records[:at], bytes(lie), *records[at + 1 :]):
        violation = ledger.apply(record)
        assert (violation is None) == slow.apply(record)
        assert ledger.liabilities() == ledger.recount() == slow.liabilities()
    assert ledger.root() == slow.root()


@given(choices, choices, st.integers(0), st.integers(0))
def test_records_of_another_history_are_judged_as_the_slow_twin_judges_them(
    written: list[Choice], strange: list[Choice], where: int, which: int
):
    ledger, slow = fresh()
    records = [record for group in program(written).groups for record in group]
    strangers = [record for group in program(strange).groups for record in group]
    at, start = where % len(records), which % len(strangers)
    for record in (*records[:at], *strangers[start : start + 8], *records[at : at + 20]):
        violation = ledger.apply(record)
        assert (violation is None) == slow.apply(record), record.hex()
        if violation is not None:
            assert violation.message
    assert ledger.root() == slow.root()
    assert ledger.liabilities() == ledger.recount() == slow.liabilities()

"""Who fell, account by account, from positions and the values of a lot: slow twin of
`margin/watch.py` and, with `values_of`, of what `margin/accounts.py` keeps.
"""

from collections.abc import Mapping

from margin.accounts import STANDARD_MODEL, Account
from margin.marks import Marks
from margin.parameters import NETTING_PERCENT
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT


def values_of(marks: Marks, account: Account, underlying: int) -> list[int]:
    """The account's positions on one underlying in each scenario."""
    total = [0] * SCENARIO_COUNT
    for number, position in account.positions.items():
        if marks.underlying_of(number) == underlying:
            row = marks.values[number].tolist()
            total = [
                have + position.quantity_lots * more for have, more in zip(total, row, strict=True)
            ]
    return total


def apart(marks: Marks, account: Account) -> int:
    """What the positions are worth, each in its own worst scenario."""
    worth = 0
    for number, position in account.positions.items():
        worth += min(position.quantity_lots * value for value in marks.values[number].tolist())
    return worth


def has_fallen(marks: Marks, account: Account, underlyings: int, line_percent: int) -> bool:
    """Whether its equity is below so many percent of what its positions could lose."""
    equity = account.constant_micro()
    loss = -(-sum(abs(position.quantity_lots) for position in account.positions.values()) // 2)
    rows = [values_of(marks, account, underlying) for underlying in range(underlyings)]
    equity += sum(row[BASE_SCENARIO] for row in rows)
    loss += sum(row[BASE_SCENARIO] for row in rows)
    separate = sum(min(row) for row in rows)
    joint = min(sum(together) for together in zip(*rows, strict=True))
    netted = separate + (joint - separate) * NETTING_PERCENT // 100
    loss -= apart(marks, account) if account.margin_model == STANDARD_MODEL else netted
    return 100 * equity < line_percent * loss


def fallen(
    marks: Marks,
    accounts: Mapping[int, Account],
    underlyings: int,
    underlying: int,
    line_percent: int,
) -> list[int]:
    """Those of the accounts that ever held something on `underlying`."""
    return [
        number
        for number, account in accounts.items()
        if underlying in account.risks and has_fallen(marks, account, underlyings, line_percent)
    ]

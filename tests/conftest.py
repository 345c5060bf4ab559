"""What every test may ask for, and how hard hypothesis looks.

    make test                                   a few dozen examples for each property
    STRADDLE_HYPOTHESIS=thorough make test      some thousands, and no two runs alike

Holds: no test fails because a machine is slow: no deadlines, no health check on time. With CI set
the examples are the same in every run.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from exchange.compiled import choose

choose()  # before anything of the core is imported: a stale binary is not what is to be tested

NOT_OF_TIME = [HealthCheck.too_slow]

settings.register_profile(
    "default", max_examples=60, deadline=None, suppress_health_check=NOT_OF_TIME
)
settings.register_profile(
    "ci",
    settings.get_profile("default"),
    derandomize=True,
    database=None,
    print_blob=True,
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=3_000)
settings.load_profile(
    os.environ.get("STRADDLE_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "default")
)


@pytest.fixture(scope="session")
def anvil_path() -> Path:
    """Anvil's binary; skips where there is none, and fails there on CI, which has set it up."""
    from exchange.devnet import AnvilMissing, find_anvil  # noqa: PLC0415

    try:
        return find_anvil()
    except AnvilMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))

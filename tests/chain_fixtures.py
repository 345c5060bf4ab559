"""A running chain for tests, and the exchange's contracts on it.

    pytest_plugins = ("tests.chain_fixtures",)

Holds: one Anvil serves a worker's tests, one after the other; each test deploys contracts of its
own. A test that stops its mining or its process starts one for itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.devnet import Devnet
from settlement.chain import Chain
from settlement.node import Node
from tests.local_chain import exchange_on


@pytest.fixture(scope="session")
def devnet(anvil_path: Path) -> Iterator[Devnet]:
    del anvil_path  # its absence skips
    with Devnet() as running:
        yield running


@pytest.fixture(scope="session")
def node(devnet: Devnet) -> Node:
    return Node(devnet.url)


@pytest.fixture
def chain(node: Node) -> Chain:
    """New contracts with one asset, without a challenge window; everyone has dollars."""
    return exchange_on(node)

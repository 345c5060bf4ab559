"""The compiled contracts for tests, those under contracts/test/ included.

    pytest_plugins = ("tests.contracts_build",)

Skips, saying what to run, where the npm packages are missing; fails there on CI, which has them.
"""

import os

import pytest

from scripts.build_contracts import Artifact, ToolchainMissing, compile_all, require_toolchain


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """The compiler and OpenZeppelin's contracts."""
    try:
        require_toolchain()
    except ToolchainMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def compiled_contracts(npm_packages: None) -> dict[str, Artifact]:
    """Every contract of the project by name, compiled once per change of the sources."""
    del npm_packages
    return compile_all()

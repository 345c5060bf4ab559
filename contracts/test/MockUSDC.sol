// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title MockUSDC
/// @notice A dollar for local chains: six decimals, and anyone may mint. It is trusted with nothing and worth nothing.
contract MockUSDC is ERC20("Mock USDC", "mUSDC") {
    /// @notice Gives `amount` (micro-USDC) to `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

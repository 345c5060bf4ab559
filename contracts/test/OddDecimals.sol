// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title OddDecimals
/// @notice Says how many decimals it has, and nothing else.
contract OddDecimals {
    uint8 public immutable decimals;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title SilentToken
/// @notice Moves nothing, and says either that it did or that it did not.
contract SilentToken {
    bool private immutable _answer;

    constructor(bool answer) {
        _answer = answer;
    }

    function decimals() external pure returns (uint8) {
        return 6;
    }

    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    function allowance(address, address) external pure returns (uint256) {
        return type(uint256).max;
    }

    function transferFrom(address, address, uint256) external view returns (bool) {
        return _answer;
    }
}

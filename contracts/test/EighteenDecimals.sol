// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title EighteenDecimals
/// @notice An honest token that is no dollar of six decimals: an ether for local chains. Anyone may mint.
contract EighteenDecimals is ERC20("Eighteen", "E18") {
    /// @notice Gives `amount` smallest units to `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title FeeToken
/// @notice Keeps a part of every transfer, or adds to it, so that what arrives is not what was sent.
contract FeeToken is ERC20("Fee", "FEE") {
    /// @dev Percent of a transfer that arrives; 100 is an honest token.
    uint256 public percentThatArrives = 99;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setPercentThatArrives(uint256 percent) external {
        percentThatArrives = percent;
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        _burn(from, amount);
        _mint(to, amount * percentThatArrives / 100);
        return true;
    }
}

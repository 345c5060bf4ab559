// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title ReentrantToken
/// @notice Calls whatever it was told to, in the middle of each transfer to or from others, and reverts as that call does.
contract ReentrantToken is ERC20("Reentrant", "RE") {
    address private _target;
    bytes private _data;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice From now on each transfer calls `target` with `data`.
    function attack(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_target == address(0) || from == address(0)) return;
        (bool isDone, bytes memory reason) = _target.call(_data);
        if (isDone) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}

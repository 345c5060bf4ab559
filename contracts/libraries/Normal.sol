// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {NormalTable} from "./NormalTable.sol";

/// @title The normal distribution function over integers
/// @notice The twin of margin/normal.py, bit for bit: a table and a third-order step.
library Normal {
    /// @notice From here on N(x) is one, and from minus here nothing.
    int256 internal constant LIMIT_Q30 = 8 << 30;

    int256 internal constant ONE_Q29 = 1 << 29;

    /// @notice The table in memory: once per call, to be handed to `normalQ29`.
    function table() internal pure returns (bytes memory) {
        return NormalTable.NODES;
    }

    /// @notice N(x) in Q29 for -8 <= x <= 8 in Q30.
    function normalQ29(bytes memory nodes, int256 xQ30) internal pure returns (int256) {
        unchecked {
            int256 node = (xQ30 + (1 << 22)) >> 23;
            int256 h = xQ30 - (node << 23);
            int256 slope = (node * h) >> 7; // x0 h in Q30
            int256 curve = (slope * slope - h * h) >> 20; // (x0^2 - 1) h^2 in Q40
            int256 stepQ38 = (h * ((1 << 30) - (slope >> 1) + ((curve * 43_691) >> 28))) >> 22;
            if (node < 0) {
                (int256 tail, int256 density) = _node(nodes, uint256(-node));
                return (tail + ((density * stepQ38) >> 30) + (1 << 10)) >> 11;
            } else {
                (int256 tail, int256 density) = _node(nodes, uint256(node));
                return ((1 << 40) - tail + ((density * stepQ38) >> 30) + (1 << 10)) >> 11;
            }
        }
    }

    /// @dev One mload instead of nine checked reads of a byte. The word read ends where the node ends, so it lies
    /// inside the array and its length word.
    function _node(bytes memory nodes, uint256 index) private pure returns (int256 tailQ40, int256 densityQ32) {
        unchecked {
            uint256 word;
            assembly ("memory-safe") {
                word := mload(add(nodes, add(mul(index, 9), 9)))
            }
            tailQ40 = int256((word >> 32) & 0xffffffffff);
            densityQ32 = int256(word & 0xffffffff);
        }
    }
}

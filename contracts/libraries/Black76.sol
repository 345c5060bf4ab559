// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Normal} from "./Normal.sol";

/// @title Undiscounted Black-76 over integers
/// @notice The twin of margin/black76.py, bit for bit. Prices are micro-USDC per lot.
library Black76 {
    uint8 internal constant CALL = 2;
    uint8 internal constant PUT = 3;

    /// @notice Price of a call, rounded to nearest, within [max(F - K, 0), F].
    /// @dev Forward and strike below 2^34, |k| below 8, 1 <= deviation < 2^32. Adding `deviation << 64` makes the
    /// numerator positive, so that division rounds down as Python's does. Beyond the table both N are 0 or both are 1,
    /// and the price is the intrinsic value.
    function callMicro(bytes memory nodes, int256 forward, int256 strike, int256 kQ30, int256 deviationQ30)
        internal
        pure
        returns (int256 price)
    {
        unchecked {
            uint256 shifted = uint256((deviationQ30 << 64) - (kQ30 << 30)) / uint256(deviationQ30);
            int256 d1 = int256(shifted) - (1 << 64) + (deviationQ30 >> 1);
            int256 d2 = d1 - deviationQ30;
            int256 least = forward > strike ? forward - strike : int256(0);
            if (d1 <= -Normal.LIMIT_Q30 || d2 >= Normal.LIMIT_Q30) return least;
            int256 n1 = d1 < Normal.LIMIT_Q30 ? Normal.normalQ29(nodes, d1) : Normal.ONE_Q29;
            int256 n2 = d2 > -Normal.LIMIT_Q30 ? Normal.normalQ29(nodes, d2) : int256(0);
            price = (forward * n1 - strike * n2 + (1 << 28)) >> 29;
            if (price < least) return least;
        }
    }

    /// @notice Price of a call or put; a put by parity.
    function optionMicro(
        bytes memory nodes,
        uint8 kind,
        int256 forward,
        int256 strike,
        int256 kQ30,
        int256 deviationQ30
    ) internal pure returns (int256 price) {
        price = callMicro(nodes, forward, strike, kQ30, deviationQ30);
        unchecked {
            if (kind == PUT) price += strike - forward;
        }
    }

    /// @notice What the option pays if it settles at `forward`.
    function intrinsicMicro(uint8 kind, int256 forward, int256 strike) internal pure returns (int256 gain) {
        unchecked {
            gain = kind == PUT ? strike - forward : forward - strike;
            if (gain < 0) gain = 0;
        }
    }
}

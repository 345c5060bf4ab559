// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Logarithm and exponential of integers, by integers
/// @notice The twin of margin/fixed_point.py, bit for bit. Q30 names an integer count of 2^-30, Q62 and Q96 likewise.
/// @dev `>>` of a signed integer rounds towards minus infinity, as in Python. Nothing here is checked for overflow: in
/// the ranges named, every intermediate stays far below 2^255.
library FixedPoint {
    int256 internal constant ONE_Q30 = 1 << 30;

    /// @dev ln 2, rounded to nearest.
    int256 internal constant LN2_Q62 = 3_196_577_161_300_663_915;

    /// @notice numerator / denominator rounded towards minus infinity; the denominator is positive.
    function floorDiv(int256 numerator, int256 denominator) internal pure returns (int256 quotient) {
        unchecked {
            quotient = numerator / denominator;
            if (quotient * denominator > numerator) --quotient;
        }
    }

    /// @notice numerator / denominator rounded to nearest, half up; the denominator is positive and even.
    function nearest(int256 numerator, int256 denominator) internal pure returns (int256) {
        unchecked {
            return floorDiv(numerator + (denominator >> 1), denominator);
        }
    }

    /// @notice Natural logarithm of 1 <= number < 2^96, in Q62, within 2^-56.
    function lnQ62(uint256 number) internal pure returns (int256) {
        unchecked {
            uint256 whole = Math.log2(number);
            uint256 mantissa = number << (96 - whole);
            uint256 power = ((mantissa - (1 << 96)) << 96) / (mantissa + (1 << 96));
            uint256 square = (power * power) >> 96;
            uint256 total = power;
            for (uint256 odd = 3; odd < 40; odd += 2) {
                power = (power * square) >> 96;
                total += power / odd;
            }
            return int256(whole) * LN2_Q62 + int256(total >> 33);
        }
    }

    /// @notice Natural logarithm of 1 <= number < 2^96, in Q30, rounded to nearest.
    function lnQ30(uint256 number) internal pure returns (int256) {
        unchecked {
            return (lnQ62(number) + (1 << 31)) >> 32;
        }
    }

    /// @notice e ** exponent in Q30, rounded down, for exponents in [-4, 4).
    function expQ30(int256 exponentQ62) internal pure returns (uint256) {
        unchecked {
            int256 whole = floorDiv(exponentQ62, LN2_Q62);
            uint256 rest = uint256(exponentQ62 - whole * LN2_Q62);
            uint256 term = 1 << 62;
            uint256 total = term;
            for (uint256 n = 1; n <= 16; ++n) {
                term = ((term * rest) >> 62) / n;
                total += term;
            }
            return total >> uint256(32 - whole);
        }
    }
}

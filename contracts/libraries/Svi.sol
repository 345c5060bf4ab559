// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice A forward in micro-USDC per lot and a raw-SVI smile in Q30, as a MARK_UPDATED record publishes them.
struct ExpiryMark {
    uint40 forwardMicro;
    int32 a;
    int32 b;
    int32 rho;
    int32 m;
    int32 sigma;
}

/// @title The smile of an expiry
/// @notice The twin of margin/svi.py, bit for bit. The bounds of docs/protocol.md, section 7 are the caller's to check.
library Svi {
    /// @notice Total variance of log-moneyness k = ln(K/F), in Q60, at least 0.
    /// @dev a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), Gatheral & Jacquier (2014), arXiv:1204.0646, eq. 3.1.
    function totalVarianceQ60(int256 kQ30, ExpiryMark memory mark) internal pure returns (uint256) {
        unchecked {
            int256 distance = kQ30 - mark.m;
            int256 sigma = mark.sigma;
            int256 root = int256(Math.sqrt(uint256(distance * distance + sigma * sigma)));
            int256 variance = (int256(mark.a) << 30) + int256(mark.b) * (((int256(mark.rho) * distance) >> 30) + root);
            return variance < 0 ? 0 : uint256(variance);
        }
    }

    /// @notice Standard deviation at expiry, in Q30, rounded down, at least one unit.
    function deviationQ30(int256 kQ30, ExpiryMark memory mark) internal pure returns (int256) {
        uint256 deviation = Math.sqrt(totalVarianceQ60(kQ30, mark));
        return deviation == 0 ? int256(1) : int256(deviation);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Black76} from "./Black76.sol";
import {FixedPoint} from "./FixedPoint.sol";
import {ExpiryMark, Svi} from "./Svi.sol";

/// @title The 119 scenarios of an underlying
/// @notice The twin of margin/scenarios.py, bit for bit: for each move of -18% .. 18% volatility up, unchanged, down
/// (0 .. 110), then the tails -66, -33, +50, +100, +200, +300, +400, +500%, volatility up, damped (111 .. 118).
/// @dev To price many options: `prepareExpiry` once per expiry, `prepareOption` once per option, then `profitMicro` for
/// one scenario or `row` for all. The bounds of docs/protocol.md, section 7 are the caller's to check.
library Scenarios {
    uint256 internal constant COUNT = 119;
    uint256 internal constant MOVES_COUNT = 37;
    uint256 internal constant FIRST_TAIL = 111;

    uint256 private constant _VOL_UP_PERCENT = 50;
    uint256 private constant _VOL_DOWN_PERCENT = 30;
    uint256 private constant _SHORTEST_TERM = 1 days;
    uint256 private constant _REFERENCE_TERM = 30 days;
    int256 private constant _POWER_SHORT_PERCENT = 30;
    int256 private constant _POWER_LONG_PERCENT = 13;
    /// @dev A tail of m percent counts this over 100 |m| of its profit: 77% of the scan's width, 18%.
    int256 private constant _DAMPING = 77 * 18;

    /// @dev `FixedPoint.lnQ62(_REFERENCE_TERM)`.
    int256 private constant _LN_REFERENCE_Q62 = 68_105_103_970_596_160_979;

    /// @dev 37 moves, then 8 tails, six bytes each: the move in percent (int16), ln(1 + move) in Q30 (int32).
    bytes internal constant MOVES =
        hex"ffeef34c946fffeff4132d1bfff0f4d764e4fff1f5994a35fff2f658eaf4fff3f716548e"
        hex"fff4f7d193fbfff5f88ab5c0fff6f941c5f8fff7f9f6d057fff8faa9e02ffff9fb5b0074"
        hex"fffafc0a3bbffffbfcb79c55fffcfd632c25fffdfe0cf4d3fffefeb4ffb5ffffff5b55d6"
        hex"000000000000000100a306b700020144723d000301e44a9b0004028297980005031f60c8"
        hex"000603baad840007045484f1000804ecee0100090583ef75000a06198fdf000b06add5a2"
        hex"000c0740c6f6000d07d269e8000e0862c45e000f08f1dc130010097fb69f00110a0c5974"
        hex"00120a97c9dfffbebaf4c853ffdfe65e9358003219f323ed00642c5c85fe00c8464fa9eb"
        hex"012c58b90bfc0190670107e001f472ac2fe9";

    /// @notice What the options of an expiry share.
    struct Expiry {
        ExpiryMark mark;
        /// @dev ln(forward in micro-USDC), Q30.
        int256 lnForward;
        /// @dev What volatility up and down multiply deviations by, Q30.
        int256 up;
        int256 down;
        /// @dev True from the expiry on: options move no more.
        bool hasExpired;
    }

    /// @notice What an option needs to be valued in any scenario; forward and strike in micro-USDC per lot.
    struct Option {
        uint8 kind;
        bool hasExpired;
        int256 forward;
        int256 strike;
        /// @dev ln(K/F), Q30.
        int256 k;
        /// @dev Deviations with volatility up, unchanged and down, Q30.
        int256 up;
        int256 same;
        int256 down;
    }

    /* PREPARATION */

    /// @notice Reads a mark once for all options of its expiry; `secondsToExpiry` counts from the time of the mark.
    function prepareExpiry(ExpiryMark memory mark, int256 secondsToExpiry)
        internal
        pure
        returns (Expiry memory expiry)
    {
        expiry.mark = mark;
        expiry.hasExpired = secondsToExpiry <= 0;
        expiry.lnForward = FixedPoint.lnQ30(mark.forwardMicro);
        (expiry.up, expiry.down) = shockFactorsQ30(secondsToExpiry);
    }

    /// @notice Reads the smile once for all scenarios of an option.
    function prepareOption(Expiry memory expiry, uint8 kind, uint256 strikeMicro)
        internal
        pure
        returns (Option memory option)
    {
        option.kind = kind;
        option.hasExpired = expiry.hasExpired;
        option.forward = int256(uint256(expiry.mark.forwardMicro));
        option.strike = int256(strikeMicro);
        unchecked {
            option.k = FixedPoint.lnQ30(strikeMicro) - expiry.lnForward;
            option.same = Svi.deviationQ30(option.k, expiry.mark);
            option.up = (option.same * expiry.up) >> 30;
            option.down = (option.same * expiry.down) >> 30;
            if (option.down < 1) option.down = 1;
        }
    }

    /// @notice What volatility up and down multiply deviations by, Q30.
    /// @dev f = (30 days / term) ** p, p = .30 up to 30 days and .13 beyond, the term at least a day.
    function shockFactorsQ30(int256 secondsToExpiry) internal pure returns (int256 up, int256 down) {
        unchecked {
            uint256 term = secondsToExpiry < int256(_SHORTEST_TERM) ? _SHORTEST_TERM : uint256(secondsToExpiry);
            int256 power = term > _REFERENCE_TERM ? _POWER_LONG_PERCENT : _POWER_SHORT_PERCENT;
            int256 span = _LN_REFERENCE_Q62 - FixedPoint.lnQ62(term);
            uint256 f = FixedPoint.expQ30(FixedPoint.floorDiv(span * power, 100));
            up = FixedPoint.ONE_Q30 + int256((f * _VOL_UP_PERCENT) / 100);
            down = FixedPoint.ONE_Q30 - int256((f * _VOL_DOWN_PERCENT) / 100);
        }
    }

    /* VALUES */

    /// @notice What one lot of a prepared option is worth now.
    function markMicro(bytes memory nodes, Option memory option) internal pure returns (int256) {
        if (option.hasExpired) return Black76.intrinsicMicro(option.kind, option.forward, option.strike);
        return Black76.optionMicro(nodes, option.kind, option.forward, option.strike, option.k, option.same);
    }

    /// @notice What one long lot gains in a scenario against `mark`, its `markMicro`, as margin counts it.
    function profitMicro(bytes memory nodes, Option memory option, int256 mark, bytes memory moves, uint256 scenario)
        internal
        pure
        returns (int256)
    {
        if (option.hasExpired) return 0;
        unchecked {
            bool isTail = scenario >= FIRST_TAIL;
            (int256 percent, int256 lnMove) = moveAt(moves, _moveOf(scenario));
            uint256 shock = isTail ? 0 : scenario % 3;
            int256 deviation = shock == 0 ? option.up : shock == 1 ? option.same : option.down;
            int256 forward = movedMicro(option.forward, percent);
            int256 gain =
                Black76.optionMicro(nodes, option.kind, forward, option.strike, option.k - lnMove, deviation) - mark;
            return isTail ? dampedMicro(gain, percent) : gain;
        }
    }

    /// @notice The mark and `profitMicro` in all scenarios: faster than one by one, since three scenarios share a move.
    function row(bytes memory nodes, Option memory option)
        internal
        pure
        returns (int256 mark, int256[] memory profits)
    {
        profits = new int256[](COUNT);
        mark = markMicro(nodes, option);
        if (option.hasExpired) return (mark, profits);
        bytes memory moves = MOVES;
        unchecked {
            // In calls: a put is its call less forward plus strike, so its gain is its call's less the forward's.
            int256 callMark = option.kind == Black76.PUT ? mark + option.forward - option.strike : mark;
            uint256 scenario = 0;
            for (uint256 i = 0; i < MOVES_COUNT + COUNT - FIRST_TAIL; ++i) {
                (int256 percent, int256 lnMove) = moveAt(moves, i);
                int256 forward = movedMicro(option.forward, percent);
                int256 base = option.kind == Black76.PUT ? callMark + forward - option.forward : callMark;
                int256 k = option.k - lnMove;
                int256 gain = Black76.callMicro(nodes, forward, option.strike, k, option.up) - base;
                if (i < MOVES_COUNT) {
                    profits[scenario++] = gain;
                    profits[scenario++] = Black76.callMicro(nodes, forward, option.strike, k, option.same) - base;
                    profits[scenario++] = Black76.callMicro(nodes, forward, option.strike, k, option.down) - base;
                } else {
                    profits[scenario++] = dampedMicro(gain, percent);
                }
            }
        }
    }

    /// @notice The row of a future (reference: its forward) or a perpetual (the index).
    function linearRow(int256 referenceMicro) internal pure returns (int256[] memory profits) {
        profits = new int256[](COUNT);
        bytes memory moves = MOVES;
        unchecked {
            for (uint256 scenario = 0; scenario < COUNT; ++scenario) {
                profits[scenario] = linearProfitMicro(referenceMicro, moves, scenario);
            }
        }
    }

    /// @notice One scenario of `linearRow`.
    function linearProfitMicro(int256 referenceMicro, bytes memory moves, uint256 scenario)
        internal
        pure
        returns (int256)
    {
        unchecked {
            (int256 percent,) = moveAt(moves, _moveOf(scenario));
            int256 gain = movedMicro(referenceMicro, percent) - referenceMicro;
            return scenario >= FIRST_TAIL ? dampedMicro(gain, percent) : gain;
        }
    }

    /* MOVES */

    /// @notice A positive forward after a move in percent, rounded to nearest, half up.
    function movedMicro(int256 forward, int256 percent) internal pure returns (int256) {
        unchecked {
            return int256(uint256(forward * (100 + percent) + 50) / 100);
        }
    }

    /// @notice A tail's profit x 0.77 x 18% / |move|, rounded to nearest, half up.
    function dampedMicro(int256 profit, int256 percent) internal pure returns (int256) {
        unchecked {
            return FixedPoint.nearest(profit * _DAMPING, 100 * (percent < 0 ? -percent : percent));
        }
    }

    /// @notice Entry `index` of `MOVES`: the move in percent, and ln(1 + move) in Q30.
    /// @dev One mload instead of six checked reads of a byte. The word read ends where the entry ends, so it lies
    /// inside the array and its length word.
    function moveAt(bytes memory moves, uint256 index) internal pure returns (int256 percent, int256 lnMoveQ30) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(moves, add(mul(index, 6), 6)))
        }
        percent = int16(uint16(word >> 32));
        lnMoveQ30 = int32(uint32(word));
    }

    /// @dev The entry of `MOVES` that a scenario takes.
    function _moveOf(uint256 scenario) private pure returns (uint256) {
        unchecked {
            return scenario < FIRST_TAIL ? scenario / 3 : scenario - FIRST_TAIL + MOVES_COUNT;
        }
    }
}

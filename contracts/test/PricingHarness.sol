// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Black76} from "../libraries/Black76.sol";
import {FixedPoint} from "../libraries/FixedPoint.sol";
import {Normal} from "../libraries/Normal.sol";
import {Scenarios} from "../libraries/Scenarios.sol";
import {ExpiryMark, Svi} from "../libraries/Svi.sol";

/// @title PricingHarness
/// @notice Shows the pricing libraries to tests, many values per call. It holds nothing and is trusted with nothing.
contract PricingHarness {
    struct Smile {
        int256 kQ30;
        ExpiryMark mark;
    }

    struct Call {
        int256 forward;
        int256 strike;
        int256 kQ30;
        int256 deviationQ30;
    }

    struct Option {
        uint8 kind;
        uint256 strikeMicro;
        ExpiryMark mark;
        int256 secondsToExpiry;
    }

    function logarithms(uint256[] calldata numbers) external pure returns (int256[] memory results) {
        results = new int256[](numbers.length);
        for (uint256 i = 0; i < numbers.length; ++i) {
            results[i] = FixedPoint.lnQ30(numbers[i]);
        }
    }

    function exponentials(int256[] calldata exponents) external pure returns (uint256[] memory results) {
        results = new uint256[](exponents.length);
        for (uint256 i = 0; i < exponents.length; ++i) {
            results[i] = FixedPoint.expQ30(exponents[i]);
        }
    }

    function normals(int256[] calldata arguments) external pure returns (int256[] memory results) {
        bytes memory nodes = Normal.table();
        results = new int256[](arguments.length);
        for (uint256 i = 0; i < arguments.length; ++i) {
            results[i] = Normal.normalQ29(nodes, arguments[i]);
        }
    }

    function deviations(Smile[] calldata smiles) external pure returns (int256[] memory results) {
        results = new int256[](smiles.length);
        for (uint256 i = 0; i < smiles.length; ++i) {
            results[i] = Svi.deviationQ30(smiles[i].kQ30, smiles[i].mark);
        }
    }

    function shocks(int256[] calldata terms) external pure returns (int256[] memory ups, int256[] memory downs) {
        ups = new int256[](terms.length);
        downs = new int256[](terms.length);
        for (uint256 i = 0; i < terms.length; ++i) {
            (ups[i], downs[i]) = Scenarios.shockFactorsQ30(terms[i]);
        }
    }

    function callPrices(Call[] calldata calls) external pure returns (int256[] memory results) {
        bytes memory nodes = Normal.table();
        results = new int256[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            Call calldata c = calls[i];
            results[i] = Black76.callMicro(nodes, c.forward, c.strike, c.kQ30, c.deviationQ30);
        }
    }

    function rows(Option[] calldata options) external pure returns (int256[] memory marks, int256[][] memory profits) {
        bytes memory nodes = Normal.table();
        marks = new int256[](options.length);
        profits = new int256[][](options.length);
        for (uint256 i = 0; i < options.length; ++i) {
            (marks[i], profits[i]) = Scenarios.row(nodes, _prepared(options[i]));
        }
    }

    /// @notice The same scenario by scenario, for one option.
    function profitsOneByOne(Option calldata option) external pure returns (int256[] memory profits) {
        bytes memory nodes = Normal.table();
        Scenarios.Option memory prepared = _prepared(option);
        int256 mark = Scenarios.markMicro(nodes, prepared);
        profits = new int256[](Scenarios.COUNT);
        for (uint256 i = 0; i < profits.length; ++i) {
            profits[i] = Scenarios.profitMicro(nodes, prepared, mark, Scenarios.MOVES, i);
        }
    }

    function linearRow(int256 referenceMicro) external pure returns (int256[] memory) {
        return Scenarios.linearRow(referenceMicro);
    }

    function moves() external pure returns (bytes memory) {
        return Scenarios.MOVES;
    }

    function table() external pure returns (bytes memory) {
        return Normal.table();
    }

    /// @notice Gas of loading the table, of preparing an expiry and an option, of one price and of a row of profits.
    function gasUsed(Option calldata option)
        external
        view
        returns (uint256 load, uint256 expiry, uint256 prepare, uint256 price, uint256 row)
    {
        uint256 start = gasleft();
        bytes memory nodes = Normal.table();
        load = start - gasleft();

        start = gasleft();
        Scenarios.Expiry memory preparedExpiry = Scenarios.prepareExpiry(option.mark, option.secondsToExpiry);
        expiry = start - gasleft();

        start = gasleft();
        Scenarios.Option memory prepared = Scenarios.prepareOption(preparedExpiry, option.kind, option.strikeMicro);
        prepare = start - gasleft();

        start = gasleft();
        int256 mark = Scenarios.markMicro(nodes, prepared);
        price = start - gasleft();

        start = gasleft();
        (int256 markOfRow,) = Scenarios.row(nodes, prepared);
        row = start - gasleft();
        require(mark == markOfRow, "a row has another mark");
    }

    function _prepared(Option calldata option) private pure returns (Scenarios.Option memory) {
        Scenarios.Expiry memory expiry = Scenarios.prepareExpiry(option.mark, option.secondsToExpiry);
        return Scenarios.prepareOption(expiry, option.kind, option.strikeMicro);
    }
}

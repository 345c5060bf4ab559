// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Header, ISettlement} from "../interfaces/ISettlement.sol";

/// @title ForwardingOperator
/// @notice An operator that is a contract: its batches stand in no transaction's calldata as postBatch's own.
contract ForwardingOperator {
    function forward(
        ISettlement settlement,
        Header calldata header,
        bytes32[] calldata chunkRoots,
        bytes calldata records
    ) external {
        settlement.postBatch(header, chunkRoots, records);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SparseMerkle} from "../libraries/SparseMerkle.sol";

/// @title SparseMerkleHarness
/// @notice Opens the library to tests.
contract SparseMerkleHarness {
    function leafHash(uint32 key, bytes calldata payload) external pure returns (bytes32) {
        return SparseMerkle.leafHash(key, payload);
    }

    function isMember(bytes32 root, uint32 key, bytes calldata payload, bytes32[] calldata siblings)
        external
        pure
        returns (bool)
    {
        return SparseMerkle.isMember(root, key, payload, siblings);
    }

    function isAbsent(bytes32 root, uint32 key, bytes32[] calldata siblings) external pure returns (bool) {
        return SparseMerkle.isAbsent(root, key, siblings);
    }

    function isAbsentBeside(
        bytes32 root,
        uint32 key,
        bytes32[] calldata siblings,
        uint32 otherKey,
        bytes calldata otherPayload
    ) external pure returns (bool) {
        return SparseMerkle.isAbsentBeside(root, key, siblings, otherKey, otherPayload);
    }
}

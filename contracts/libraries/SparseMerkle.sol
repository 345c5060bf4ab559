// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title SparseMerkle
/// @notice The compact sparse Merkle tree over 32-bit keys (docs/protocol.md, 5). An empty subtree is zero, a subtree of one
/// leaf is that leaf, so a path is as long as the tree is deep at its key. The path follows the key's bits from the lowest.
/// @dev Leaves and nodes are hashed under different first bytes and a leaf binds its key, so neither can pose as the other,
/// nor stand in another's place.
library SparseMerkle {
    bytes1 private constant LEAF = 0x00;
    bytes1 private constant NODE = 0x01;

    /// @notice A key has 32 bits, so no path is longer.
    uint256 internal constant MAX_DEPTH = 32;

    error PathTooLong(uint256 maximum, uint256 got);

    /// @notice Hash of the leaf that holds `payload` at `key`.
    function leafHash(uint32 key, bytes memory payload) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(LEAF, key, payload));
    }

    /// @notice Hash of a node above two subtrees that are not both empty and not one leaf.
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(NODE, left, right));
    }

    /// @notice The root above `subtree` at the end of the path of `key`, whose siblings stand from `subtree` up.
    function rootOf(bytes32 subtree, uint32 key, bytes32[] calldata siblings) internal pure returns (bytes32 root) {
        uint256 depth = siblings.length;
        if (depth > MAX_DEPTH) revert PathTooLong(MAX_DEPTH, depth);
        root = subtree;
        for (uint256 i = 0; i < depth; i++) {
            bool isRight = (key >> (depth - 1 - i)) & 1 == 1;
            root = isRight ? nodeHash(siblings[i], root) : nodeHash(root, siblings[i]);
        }
    }

    /// @notice Whether `root` holds `payload` at `key`.
    function isMember(bytes32 root, uint32 key, bytes memory payload, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        return rootOf(leafHash(key, payload), key, siblings) == root;
    }

    /// @notice Whether `root` holds nothing at `key`, because its path ends in an empty subtree.
    function isAbsent(bytes32 root, uint32 key, bytes32[] calldata siblings) internal pure returns (bool) {
        return rootOf(bytes32(0), key, siblings) == root;
    }

    /// @notice Whether `root` holds nothing at `key`, because its path ends in the leaf of `otherKey`.
    function isAbsentBeside(
        bytes32 root,
        uint32 key,
        bytes32[] calldata siblings,
        uint32 otherKey,
        bytes memory otherPayload
    ) internal pure returns (bool) {
        // The other leaf must lie on the path: the two keys share as many low bits as the path is long.
        uint256 shared = (uint256(1) << siblings.length) - 1;
        if (key == otherKey || uint256(key ^ otherKey) & shared != 0) return false;
        return rootOf(leafHash(otherKey, otherPayload), key, siblings) == root;
    }
}

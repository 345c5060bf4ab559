// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title BulkOrderHash
/// @notice EIP-712 struct hash of a tree of orders, `BulkOrder(Order[2][2]...[2] tree)`, from one order's hash and
/// its proof: many orders hang on one signature, and any one of them can be shown alone (docs/protocol.md, 2).
library BulkOrderHash {
    /// @dev 512 leaves: both sides of the most instruments that one mass quote names.
    uint256 internal constant MAX_HEIGHT = 9;

    /// @dev The types that the tree's type names, by name.
    bytes private constant NAMED_TYPES =
        "Conditions(uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,bytes32 parent,"
        "uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label)"
        "Leg(uint32 instrument,int16 ratio)"
        "Order(uint32 account,uint32 counter,uint8 side,uint8 timeInForce,uint16 flags,int64 limitPriceMicro,"
        "uint32 quantityLots,uint64 maxFeeMicro,uint64 expirySeconds,uint64 salt,bytes32 replaces,Leg[] legs,"
        "Conditions conditions)";

    /// @notice A tree has a height of 1 .. `maximum`.
    error WrongTreeHeight(uint256 maximum, uint256 got);
    /// @notice A tree of `leaves` orders has none with this index.
    error LeafOutsideTree(uint256 leaves, uint256 got);

    /// @notice Struct hash of the tree in which `orderHash` is leaf `index`.
    /// @param proof Siblings from the leaf to the root; their number is the tree's height.
    function hash(bytes32 orderHash, uint256 index, bytes32[] calldata proof) internal pure returns (bytes32) {
        uint256 height = proof.length;
        if (height == 0 || height > MAX_HEIGHT) revert WrongTreeHeight(MAX_HEIGHT, height);
        if (index >> height != 0) revert LeafOutsideTree(1 << height, index);
        bytes32 node = orderHash;
        for (uint256 i = 0; i < height; i++) {
            node = (index >> i) & 1 == 0
                ? keccak256(abi.encode(node, proof[i]))
                : keccak256(abi.encode(proof[i], node));
        }
        return keccak256(abi.encode(typeHash(height), node));
    }

    /// @notice Type hash of a tree of this height, which its type spells out.
    function typeHash(uint256 height) internal pure returns (bytes32) {
        bytes memory dimensions;
        for (uint256 i = 0; i < height; i++) {
            dimensions = bytes.concat(dimensions, "[2]");
        }
        return keccak256(bytes.concat("BulkOrder(Order", dimensions, " tree)", NAMED_TYPES));
    }
}

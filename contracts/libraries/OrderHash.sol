// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice `ratio` lots of `instrument` per unit of the order; negative is sold by who buys the unit.
struct Leg {
    uint32 instrument;
    int16 ratio;
}

/// @notice What an order says beyond price, quantity and time; all zero in a plain one (docs/protocol.md, 2).
struct Conditions {
    uint32 minQuantityLots;
    uint32 displayLots;
    uint8 trigger;
    int64 triggerPriceMicro;
    bytes32 parent;
    uint64 ocoGroup;
    uint32 volatilityE6;
    uint8 protection;
    uint64 label;
}

/// @notice A signed order (docs/protocol.md, 2). `side`: 0 buys, 1 sells.
struct Order {
    uint32 account;
    uint32 counter;
    uint8 side;
    uint8 timeInForce;
    uint16 flags;
    int64 limitPriceMicro;
    uint32 quantityLots;
    uint64 maxFeeMicro;
    uint64 expirySeconds;
    uint64 salt;
    bytes32 replaces;
    Leg[] legs;
    Conditions conditions;
}

/// @title OrderHash
/// @notice EIP-712 struct hash of an order. It says what was signed, not whether the order makes sense.
library OrderHash {
    bytes32 internal constant LEG_TYPEHASH = keccak256("Leg(uint32 instrument,int16 ratio)");

    bytes32 internal constant CONDITIONS_TYPEHASH = keccak256(
        "Conditions(uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,bytes32 parent,"
        "uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label)"
    );

    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(uint32 account,uint32 counter,uint8 side,uint8 timeInForce,uint16 flags,int64 limitPriceMicro,"
        "uint32 quantityLots,uint64 maxFeeMicro,uint64 expirySeconds,uint64 salt,bytes32 replaces,Leg[] legs,"
        "Conditions conditions)"
        "Conditions(uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,bytes32 parent,"
        "uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label)"
        "Leg(uint32 instrument,int16 ratio)"
    );

    /// @notice The order hash.
    function hash(Order calldata order) internal pure returns (bytes32) {
        // In two halves: the words of a struct are just joined, and fourteen at once are more than the stack holds.
        bytes memory first = abi.encode(
            ORDER_TYPEHASH,
            order.account,
            order.counter,
            order.side,
            order.timeInForce,
            order.flags,
            order.limitPriceMicro
        );
        bytes memory second = abi.encode(
            order.quantityLots,
            order.maxFeeMicro,
            order.expirySeconds,
            order.salt,
            order.replaces,
            _hashLegs(order.legs),
            _hashConditions(order.conditions)
        );
        return keccak256(bytes.concat(first, second));
    }

    function _hashConditions(Conditions calldata conditions) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                CONDITIONS_TYPEHASH,
                conditions.minQuantityLots,
                conditions.displayLots,
                conditions.trigger,
                conditions.triggerPriceMicro,
                conditions.parent,
                conditions.ocoGroup,
                conditions.volatilityE6,
                conditions.protection,
                conditions.label
            )
        );
    }

    function _hashLegs(Leg[] calldata legs) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](legs.length);
        for (uint256 i = 0; i < legs.length; i++) {
            hashes[i] = keccak256(abi.encode(LEG_TYPEHASH, legs[i].instrument, legs[i].ratio));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}

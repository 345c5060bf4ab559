// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Order} from "../libraries/OrderHash.sol";
import {IVault} from "./IVault.sol";

/// @notice What a batch claims (docs/protocol.md, 6). Sums are in micro-USDC since the first block.
struct Header {
    uint64 number;
    bytes32 previousRoot;
    bytes32 newRoot;
    bytes32 withdrawalRoot;
    bytes32 journalHash;
    uint64 journalSequence;
    uint64 inboxCursor;
    bytes32 inboxHash;
    uint64 timeSeconds;
    uint128 credited;
    uint128 withdrawn;
    uint128 liabilities;
}

/// @title ISettlement
/// @notice Keeps the exchange's state roots, batch by batch, and refuses a batch that contradicts the Vault or itself.
/// Batches are numbered from 1; number 0 stands for the state at deployment.
interface ISettlement {
    /// @notice Batch `number` was posted; header, chunk roots and records are in the transaction's calldata.
    /// @param commitment keccak256(abi.encode(header, keccak256(records), keccak256(chunk roots, packed))).
    event BatchPosted(uint64 indexed number, bytes32 newRoot, bytes32 commitment);

    /// @notice Only the operator posts batches.
    error NotOperator(address expected, address got);
    /// @notice The operator cannot be the zero address.
    error ZeroOperator();
    /// @notice Batches are numbered without a gap.
    error WrongBatchNumber(uint64 expected, uint64 got);
    /// @notice The batch does not start from the current state.
    error WrongPreviousRoot(bytes32 expected, bytes32 got);
    /// @notice A batch has 1 .. `maximum` chunks.
    error WrongChunkCount(uint256 maximum, uint256 got);
    /// @notice Records are 496 bytes per chunk root.
    error WrongRecordsLength(uint256 expected, uint256 got);
    /// @notice The root after the last chunk is the batch's new root.
    error WrongLastChunkRoot(bytes32 expected, bytes32 got);
    /// @notice The batch's inbox cursor lies before the last one.
    error InboxCursorFell(uint64 previous, uint64 got);
    /// @notice The batch's inbox cursor lies beyond what has entered.
    error InboxCursorAhead(uint64 count, uint64 got);
    /// @notice The batch consumed other inbox entries than the Vault's.
    error WrongInboxHash(bytes32 expected, bytes32 got);
    /// @notice The batch credited another sum than was deposited up to its cursor.
    error WrongCredited(uint256 expected, uint256 got);
    /// @notice What has been withdrawn can only grow.
    error WithdrawnFell(uint256 previous, uint256 got);
    /// @notice What the exchange owes and has paid out must be what was deposited.
    error NotConserved(uint256 credited, uint256 liabilitiesAndWithdrawn);
    /// @notice The journal only grows.
    error JournalSequenceFell(uint64 previous, uint64 got);
    /// @notice The exchange's time only moves forward.
    error TimeFell(uint64 previous, uint64 got);
    /// @notice The batch's time is more than `tolerance` seconds ahead of, or behind, the block's.
    error TimeTooFar(uint256 blockTime, uint256 got, uint256 tolerance);
    /// @notice The last batch is `count`.
    error UnknownBatch(uint64 count, uint64 got);

    /// @notice Posts the next batch: 31-byte records, 16 to a chunk, and the state root after each chunk.
    function postBatch(Header calldata header, bytes32[] calldata chunkRoots, bytes calldata records) external;

    /// @notice Who may post batches.
    function operator() external view returns (address);

    /// @notice Custody, made by this contract's constructor.
    function vault() external view returns (IVault);

    /// @notice Most seconds by which a batch's time may differ from its block's.
    function timeToleranceSeconds() external view returns (uint64);

    /// @notice Number of the last batch; 0 before the first.
    function batchCount() external view returns (uint64);

    /// @notice State root after the last batch.
    function currentRoot() external view returns (bytes32);

    /// @notice State root after batch `number`; after 0 the one at deployment.
    function stateRoot(uint64 number) external view returns (bytes32);

    /// @notice Root of the tree of withdrawals after batch `number`.
    function withdrawalRoot(uint64 number) external view returns (bytes32);

    /// @notice Hash that binds all that was posted as batch `number`; see `BatchPosted`.
    function commitment(uint64 number) external view returns (bytes32);

    /// @notice Block time at which batch `number` was posted, Unix seconds.
    function postedAt(uint64 number) external view returns (uint64);

    /// @notice Number of inbox entries that the batches up to `number` consumed.
    function inboxCursor(uint64 number) external view returns (uint64);

    /// @notice Journal sequence up to which batch `number` goes.
    function journalSequence(uint64 number) external view returns (uint64);

    /// @notice The exchange's time after batch `number`, Unix seconds.
    function timeSeconds(uint64 number) external view returns (uint64);

    /// @notice All withdrawals so far, in micro-USDC.
    function withdrawn() external view returns (uint128);

    /// @notice EIP-712 struct hash of an order, by which it is known.
    function orderHash(Order calldata order) external pure returns (bytes32);

    /// @notice What the signer of an order signs: its hash under this contract's domain.
    function orderDigest(Order calldata order) external view returns (bytes32);

    /// @notice Who signed the order. Reverts on a signature that is not r, s (lower half), v (27 or 28).
    function recoverOrderSigner(Order calldata order, bytes calldata signature) external view returns (address);

    /// @notice What the signer of a tree of orders signs, by the hash of its order number `index` and that order's
    /// siblings, from the leaf to the root.
    function bulkOrderDigest(bytes32 orderHash_, uint256 index, bytes32[] calldata proof)
        external
        view
        returns (bytes32);

    /// @notice Who signed the tree of orders in which `order` is number `index`. Reverts on a proof of no tree, and on
    /// a signature that is not r, s (lower half), v (27 or 28).
    function recoverBulkOrderSigner(
        Order calldata order,
        uint256 index,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external view returns (address);
}

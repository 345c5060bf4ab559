// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Header, ISettlement} from "./interfaces/ISettlement.sol";
import {IVault} from "./interfaces/IVault.sol";
import {BulkOrderHash} from "./libraries/BulkOrderHash.sol";
import {Order, OrderHash} from "./libraries/OrderHash.sol";
import {Vault} from "./Vault.sol";

/// @title Settlement
/// @notice The exchange's state on chain: one root per batch, and everything needed to recompute it in the calldata.
///
/// Who is trusted with what: the operator alone posts batches, and nobody can change the operator or this contract. The
/// operator cannot skip, reorder or invent what entered through the Vault, cannot owe more or less than was deposited, cannot
/// rewrite its journal, and cannot hide what a batch did, because the batch is published here in full. That the records lead
/// from one root to the next, this contract does not recompute: whoever replays the calldata knows it (docs/protocol.md, 4).
contract Settlement is ISettlement, EIP712 {
    using OrderHash for Order;

    /// @dev A record is 31 bytes, a chunk 16 records, a batch at most 4,096 records.
    uint256 private constant BYTES_PER_CHUNK = 16 * 31;
    uint256 private constant MAX_CHUNKS = 4096 / 16;

    /// @dev What is kept of a batch. Times are Unix seconds.
    struct Batch {
        bytes32 stateRoot;
        bytes32 withdrawalRoot;
        bytes32 commitment;
        uint64 postedAt;
        uint64 inboxCursor;
        uint64 journalSequence;
        uint64 timeSeconds;
    }

    /// @dev Seconds that a batch may wait to be posted: an outage of the chain or of the exchange ends by itself.
    uint256 private constant MAX_AGE_SECONDS = 30 days;

    /// @inheritdoc ISettlement
    address public immutable override operator;

    /// @inheritdoc ISettlement
    IVault public immutable override vault;

    /// @inheritdoc ISettlement
    uint64 public immutable override timeToleranceSeconds;

    /// @inheritdoc ISettlement
    uint64 public override batchCount;

    /// @inheritdoc ISettlement
    uint128 public override withdrawn;

    /// @dev By number; 0 holds the root at deployment and else zeros.
    mapping(uint64 number => Batch batch) private _batches;

    /// @param operator_ Who may post batches.
    /// @param genesisRoot State root before the first batch. It binds this contract's address, so whoever deploys it works
    /// the address out beforehand from its own address and nonce.
    /// @param tokens The Vault's assets by number; 0 is USDC.
    /// @param challengeWindowSeconds Seconds between a batch's posting and the first claim against it.
    /// @param timeToleranceSeconds_ Most seconds by which a batch's time may be ahead of its block's.
    constructor(
        address operator_,
        bytes32 genesisRoot,
        address[] memory tokens,
        uint64 challengeWindowSeconds,
        uint64 timeToleranceSeconds_
    ) EIP712("Straddle", "1") {
        if (operator_ == address(0)) revert ZeroOperator();
        operator = operator_;
        timeToleranceSeconds = timeToleranceSeconds_;
        _batches[0].stateRoot = genesisRoot;
        vault = new Vault(tokens, challengeWindowSeconds);
    }

    /* BATCHES */

    /// @inheritdoc ISettlement
    function postBatch(Header calldata header, bytes32[] calldata chunkRoots, bytes calldata records)
        external
        override
    {
        if (msg.sender != operator) revert NotOperator(operator, msg.sender);
        uint64 number = batchCount + 1;
        if (header.number != number) revert WrongBatchNumber(number, header.number);
        _checkContinues(header, _batches[number - 1]);
        _checkChunks(header.newRoot, chunkRoots, records.length);
        _checkInbox(header);
        _checkSums(header);

        bytes32 bound =
            keccak256(abi.encode(header, keccak256(records), keccak256(abi.encodePacked(chunkRoots))));
        _batches[number] = Batch({
            stateRoot: header.newRoot,
            withdrawalRoot: header.withdrawalRoot,
            commitment: bound,
            postedAt: uint64(block.timestamp),
            inboxCursor: header.inboxCursor,
            journalSequence: header.journalSequence,
            timeSeconds: header.timeSeconds
        });
        batchCount = number;
        withdrawn = header.withdrawn;
        emit BatchPosted(number, header.newRoot, bound);
    }

    /// @dev The batch goes on where the last one ended: root, inbox, journal and time.
    function _checkContinues(Header calldata header, Batch storage last) private view {
        if (header.previousRoot != last.stateRoot) revert WrongPreviousRoot(last.stateRoot, header.previousRoot);
        (uint64 cursor, uint64 sequence, uint64 time) = (last.inboxCursor, last.journalSequence, last.timeSeconds);
        if (header.inboxCursor < cursor) revert InboxCursorFell(cursor, header.inboxCursor);
        if (header.journalSequence < sequence) revert JournalSequenceFell(sequence, header.journalSequence);
        if (header.timeSeconds < time) revert TimeFell(time, header.timeSeconds);
        uint256 got = header.timeSeconds;
        if (got > block.timestamp + timeToleranceSeconds) revert TimeTooFar(block.timestamp, got, timeToleranceSeconds);
        if (got + MAX_AGE_SECONDS < block.timestamp) revert TimeTooFar(block.timestamp, got, MAX_AGE_SECONDS);
    }

    function _checkChunks(bytes32 newRoot, bytes32[] calldata chunkRoots, uint256 recordBytes) private pure {
        uint256 chunks = chunkRoots.length;
        if (chunks == 0 || chunks > MAX_CHUNKS) revert WrongChunkCount(MAX_CHUNKS, chunks);
        if (recordBytes != chunks * BYTES_PER_CHUNK) revert WrongRecordsLength(chunks * BYTES_PER_CHUNK, recordBytes);
        if (chunkRoots[chunks - 1] != newRoot) revert WrongLastChunkRoot(newRoot, chunkRoots[chunks - 1]);
    }

    /// @dev The batch took in what the Vault has, no more, no less, no other.
    function _checkInbox(Header calldata header) private view {
        uint64 count = vault.inboxCount();
        if (header.inboxCursor > count) revert InboxCursorAhead(count, header.inboxCursor);
        (bytes32 hash, uint64 sum) = vault.inboxAt(header.inboxCursor);
        if (header.inboxHash != hash) revert WrongInboxHash(hash, header.inboxHash);
        if (header.credited != sum) revert WrongCredited(sum, header.credited);
    }

    function _checkSums(Header calldata header) private view {
        if (header.withdrawn < withdrawn) revert WithdrawnFell(withdrawn, header.withdrawn);
        uint256 accounted = uint256(header.liabilities) + header.withdrawn;
        if (accounted != header.credited) revert NotConserved(header.credited, accounted);
    }

    /* WHAT WAS POSTED */

    /// @inheritdoc ISettlement
    function currentRoot() external view override returns (bytes32) {
        return _batches[batchCount].stateRoot;
    }

    /// @inheritdoc ISettlement
    function stateRoot(uint64 number) external view override returns (bytes32) {
        return _known(number).stateRoot;
    }

    /// @inheritdoc ISettlement
    function withdrawalRoot(uint64 number) external view override returns (bytes32) {
        return _known(number).withdrawalRoot;
    }

    /// @inheritdoc ISettlement
    function commitment(uint64 number) external view override returns (bytes32) {
        return _known(number).commitment;
    }

    /// @inheritdoc ISettlement
    function postedAt(uint64 number) external view override returns (uint64) {
        return _known(number).postedAt;
    }

    /// @inheritdoc ISettlement
    function inboxCursor(uint64 number) external view override returns (uint64) {
        return _known(number).inboxCursor;
    }

    /// @inheritdoc ISettlement
    function journalSequence(uint64 number) external view override returns (uint64) {
        return _known(number).journalSequence;
    }

    /// @inheritdoc ISettlement
    function timeSeconds(uint64 number) external view override returns (uint64) {
        return _known(number).timeSeconds;
    }

    function _known(uint64 number) private view returns (Batch storage) {
        if (number > batchCount) revert UnknownBatch(batchCount, number);
        return _batches[number];
    }

    /* ORDERS */

    /// @inheritdoc ISettlement
    function orderHash(Order calldata order) external pure override returns (bytes32) {
        return order.hash();
    }

    /// @inheritdoc ISettlement
    function orderDigest(Order calldata order) public view override returns (bytes32) {
        return _hashTypedDataV4(order.hash());
    }

    /// @inheritdoc ISettlement
    function recoverOrderSigner(Order calldata order, bytes calldata signature)
        external
        view
        override
        returns (address)
    {
        return ECDSA.recoverCalldata(orderDigest(order), signature);
    }

    /// @inheritdoc ISettlement
    function bulkOrderDigest(bytes32 orderHash_, uint256 index, bytes32[] calldata proof)
        public
        view
        override
        returns (bytes32)
    {
        return _hashTypedDataV4(BulkOrderHash.hash(orderHash_, index, proof));
    }

    /// @inheritdoc ISettlement
    function recoverBulkOrderSigner(
        Order calldata order,
        uint256 index,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external view override returns (address) {
        return ECDSA.recoverCalldata(bulkOrderDigest(order.hash(), index, proof), signature);
    }
}

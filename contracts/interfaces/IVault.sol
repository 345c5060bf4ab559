// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISettlement} from "./ISettlement.sol";

/// @title IVault
/// @notice Holds what members deposit, gives account numbers, and pays withdrawals that a posted batch proves.
/// An asset's `amount` is in micro-units, a millionth of its token, in events, entries and withdrawals; what `deposit` is asked
/// to move is in the token's smallest unit, as in the token's own calls. For asset 0 (USDC, six decimals) both are micro-USDC.
interface IVault {
    /* ASSETS: numbered from 0, never changed */

    /// @notice `token` is `asset` from now on; `unit` of its smallest units make a micro-unit.
    event AssetListed(uint8 indexed asset, address indexed token, uint64 unit);

    /* INBOX: what enters, numbered from 0 and hash-chained (docs/protocol.md, 6) */

    /// @notice Entry of kind 1: `owner` opened `account`.
    event AccountOpened(uint64 indexed inboxIndex, uint32 indexed account, address indexed owner);

    /// @notice Entry of kind 2: `amount` of `asset` arrived for `account`, which belongs to `owner`.
    event Deposited(
        uint64 indexed inboxIndex, uint32 indexed account, address indexed owner, uint8 asset, uint64 amount
    );

    /// @notice Entry of kind 3: `key` may sign for `account` until `validUntil` (Unix seconds; in the past: no longer).
    event KeyRegistered(uint64 indexed inboxIndex, uint32 indexed account, address indexed key, uint48 validUntil);

    /// @notice The withdrawal `number` was paid to `owner`.
    event Claimed(uint32 indexed number, uint32 indexed account, address indexed owner, uint8 asset, uint64 amount);

    /// @notice The list of tokens is empty or longer than asset numbers go.
    error WrongTokenCount(uint256 maximum, uint256 got);
    /// @notice Asset 0 must be a dollar of six decimals; a token must have 6 to 18: `expected` is the bound that `got` misses.
    error WrongDecimals(uint8 expected, uint8 got);
    /// @notice The token is in the list already, or is the zero address.
    error TokenRefused(address token);
    /// @notice Only the operator lists assets.
    error NotOperator(address expected, address got);
    /// @notice Assets are numbered in order; one that is listed is never changed.
    error WrongAssetNumber(uint256 next, uint8 got);
    /// @notice The token is none of the Vault's assets.
    error UnsupportedToken(address token);
    /// @notice Accounts are numbered from 0; there are `count`.
    error UnknownAccount(uint32 count, uint32 got);
    /// @notice Only the account's owner may do this.
    error NotOwner(address expected, address got);
    /// @notice A key cannot be the zero address.
    error ZeroKey(uint32 account);
    /// @notice The amount, or what of it arrived, is not within 1 .. `maximum` smallest units.
    error AmountOutOfRange(uint256 maximum, uint256 got);
    /// @notice What arrived is no whole number of micro-units, each `unit` smallest units: a rest could never leave again.
    error NotWholeMicroUnits(uint256 unit, uint256 got);
    /// @notice Inbox entries are numbered from 0; `hash` and sum are known after 0 .. `count` of them.
    error UnknownInboxEntry(uint64 count, uint64 got);
    /// @notice The batch's challenge window is open until `claimableAt` (Unix seconds).
    error ChallengeWindowOpen(uint256 claimableAt, uint256 blockTime);
    /// @notice The withdrawal was paid before.
    error AlreadyClaimed(uint32 number);
    /// @notice The proof does not lead to the batch's withdrawal root.
    error WrongWithdrawalProof(bytes32 expected, bytes32 got);

    /// @notice Gives `token` the asset number `asset`, which must be the next. The operator alone may, once for each token.
    function listAsset(uint8 asset, address token) external;

    /// @notice Opens the next account for the sender, who may own several.
    function openAccount() external returns (uint32 account);

    /// @notice Moves `amount` of `token`, any that is listed, from the sender into the Vault for `account`, whoever owns it.
    /// What arrives counts, not what was asked for, so a token that keeps a fee credits less and owes nobody; it must be a
    /// whole number of micro-units.
    function deposit(uint32 account, address token, uint256 amount) external;

    /// @notice `openAccount` and `deposit` in one.
    function openAndDeposit(address token, uint256 amount) external returns (uint32 account);

    /// @notice Lets `key` sign for `account` until `validUntil` (Unix seconds). A time in the past takes that right back.
    function registerKey(uint32 account, address key, uint48 validUntil) external;

    /// @notice Pays the withdrawal `number` of posted batch `batch`, `amount` micro-units of `asset`, to its owner, once. Anyone
    /// may call it for anyone.
    /// @param siblings The path in the tree of withdrawals from the leaf up (docs/protocol.md, 5).
    function claim(
        uint64 batch,
        uint32 number,
        uint32 account,
        address owner,
        uint8 asset,
        uint64 amount,
        bytes32[] calldata siblings
    ) external;

    /// @notice The contract whose withdrawal roots are paid.
    function settlement() external view returns (ISettlement);

    /// @notice Seconds between a batch's posting and the first claim against it.
    function challengeWindowSeconds() external view returns (uint64);

    /// @notice Number of accounts; the next gets this number.
    function accountCount() external view returns (uint32);

    /// @notice Who opened `account`; the zero address for one that is not there.
    function ownerOf(uint32 account) external view returns (address);

    /// @notice Number of assets.
    function assetCount() external view returns (uint256);

    /// @notice The token of `asset`.
    function tokenOf(uint8 asset) external view returns (address);

    /// @notice How many of its token's smallest units make a micro-unit of `asset`.
    function unitOf(uint8 asset) external view returns (uint64);

    /// @notice Number of inbox entries so far.
    function inboxCount() external view returns (uint64);

    /// @notice Chained hash after the first `count` entries; zero after none.
    function inboxHash(uint64 count) external view returns (bytes32);

    /// @notice Sum of the deposits of asset 0 among the first `count` entries, in micro-USDC.
    function depositSum(uint64 count) external view returns (uint64);

    /// @notice `inboxHash` and `depositSum` in one call.
    function inboxAt(uint64 count) external view returns (bytes32 hash, uint64 sum);

    /// @notice Whether the withdrawal `number` was paid.
    function isClaimed(uint32 number) external view returns (bool);
}

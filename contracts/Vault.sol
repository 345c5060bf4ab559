// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {ISettlement} from "./interfaces/ISettlement.sol";
import {IVault} from "./interfaces/IVault.sol";
import {SparseMerkle} from "./libraries/SparseMerkle.sol";

/// @title Vault
/// @notice Custody of what the exchange's members deposit.
///
/// Who is trusted with what: nobody can change this contract or its window, and it has no owner. The operator may add a token
/// to the list; nobody can change or strike one that is on it, and an added token touches no other's balance. A token
/// leaves only through `claim`, to the owner of a withdrawal that a posted batch proves. Which withdrawals a batch holds, the
/// operator says when it posts the batch to `settlement`, which does not recompute it: an operator who lies there can pay
/// itself what others own. Whoever replays the batch's calldata sees the lie at once; the window is the time between that and
/// the first payment. The tokens are trusted to be ERC-20 and no more: what arrives is measured, and no call re-enters. A token
/// whose balances change by themselves must not be listed: what the Vault holds of it would be less than it owes, or more.
contract Vault is IVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using BitMaps for BitMaps.BitMap;

    /// @dev Asset numbers are one byte.
    uint256 private constant MAX_TOKENS = 256;

    /// @dev Micro-units; what the exchange can credit. An entry that it had to refuse would hold up all after it.
    uint256 private constant MAX_DEPOSIT = uint64(type(int64).max);

    /// @dev Decimals of a micro-unit, those of USDC. A token with fewer could not pay one; eighteen are the usual most.
    uint8 private constant MICRO_DECIMALS = 6;
    uint8 private constant MAX_DECIMALS = 18;

    uint8 private constant ACCOUNT_OPENED = 1;
    uint8 private constant DEPOSITED = 2;
    uint8 private constant KEY_REGISTERED = 3;

    /// @dev What `_enter` keeps beside the hash. Four sums share a word, which spares a deposit 13,000 gas.
    uint64 private constant SUMS_PER_WORD = 4;

    /// @dev A token's asset number; `unit` is how many of its smallest units make a micro-unit, 0 for a token that is none.
    struct Asset {
        uint8 number;
        uint64 unit;
    }

    /// @dev The same by number.
    struct Listed {
        address token;
        uint64 unit;
    }

    /// @inheritdoc IVault
    ISettlement public immutable override settlement;

    /// @inheritdoc IVault
    uint64 public immutable override challengeWindowSeconds;

    /// @inheritdoc IVault
    uint64 public override inboxCount;

    /// @dev Deposits of asset 0 so far, micro-USDC; eight bytes hold a hundred thousand times all USDC there is.
    uint64 private _depositSum;

    /// @inheritdoc IVault
    uint32 public override accountCount;

    /// @inheritdoc IVault
    mapping(uint32 account => address owner) public override ownerOf;

    /// @dev Chained hash after `count` entries.
    mapping(uint64 count => bytes32 hash) private _inboxHashes;

    /// @dev Sum of deposits of asset 0 after `count` entries, micro-USDC, at [count / 4][count % 4].
    mapping(uint64 word => uint64[4] sums) private _depositSums;

    /// @dev Tokens by asset number, and back.
    Listed[] private _listed;
    mapping(address token => Asset asset) private _assets;

    /// @dev One bit per withdrawal.
    BitMaps.BitMap private _claimed;

    /// @param tokens The first assets by number; 0 is USDC.
    /// @param windowSeconds Seconds between a batch's posting and the first claim against it; 0 for none.
    constructor(address[] memory tokens, uint64 windowSeconds) {
        if (tokens.length == 0 || tokens.length > MAX_TOKENS) revert WrongTokenCount(MAX_TOKENS, tokens.length);
        uint8 decimals = IERC20Metadata(tokens[0]).decimals();
        if (decimals != MICRO_DECIMALS) revert WrongDecimals(MICRO_DECIMALS, decimals);
        for (uint256 number = 0; number < tokens.length; number++) {
            _list(tokens[number]);
        }
        settlement = ISettlement(msg.sender);
        challengeWindowSeconds = windowSeconds;
    }

    /* ASSETS */

    /// @inheritdoc IVault
    function listAsset(uint8 asset, address token) external override {
        address operator = settlement.operator();
        if (msg.sender != operator) revert NotOperator(operator, msg.sender);
        uint256 next = _listed.length;
        if (asset != next) revert WrongAssetNumber(next, asset);
        _list(token);
    }

    /* ACCOUNTS */

    /// @inheritdoc IVault
    function openAccount() external override returns (uint32 account) {
        return _openAccount();
    }

    /// @inheritdoc IVault
    function registerKey(uint32 account, address key, uint48 validUntil) external override {
        address owner = _knownOwner(account);
        if (owner != msg.sender) revert NotOwner(owner, msg.sender);
        if (key == address(0)) revert ZeroKey(account);
        emit KeyRegistered(_enter(KEY_REGISTERED, account, key, 0, 0, validUntil), account, key, validUntil);
    }

    /* DEPOSITS */

    /// @inheritdoc IVault
    function deposit(uint32 account, address token, uint256 amount) external override nonReentrant {
        _deposit(account, token, amount);
    }

    /// @inheritdoc IVault
    function openAndDeposit(address token, uint256 amount) external override nonReentrant returns (uint32 account) {
        account = _openAccount();
        _deposit(account, token, amount);
    }

    /* CLAIMS */

    /// @inheritdoc IVault
    function claim(
        uint64 batch,
        uint32 number,
        uint32 account,
        address owner,
        uint8 asset,
        uint64 amount,
        bytes32[] calldata siblings
    ) external override nonReentrant {
        bytes32 expected = settlement.withdrawalRoot(batch);
        uint256 claimableAt = uint256(settlement.postedAt(batch)) + challengeWindowSeconds;
        if (block.timestamp < claimableAt) revert ChallengeWindowOpen(claimableAt, block.timestamp);
        if (_claimed.get(number)) revert AlreadyClaimed(number);
        bytes32 leaf = SparseMerkle.leafHash(number, abi.encodePacked(account, owner, asset, amount));
        bytes32 got = SparseMerkle.rootOf(leaf, number, siblings);
        if (got != expected) revert WrongWithdrawalProof(expected, got);

        _claimed.set(number);
        emit Claimed(number, account, owner, asset, amount);
        Listed memory listed = _listed[asset];
        IERC20(listed.token).safeTransfer(owner, uint256(amount) * listed.unit);
    }

    /* VIEWS */

    /// @inheritdoc IVault
    function assetCount() external view override returns (uint256) {
        return _listed.length;
    }

    /// @inheritdoc IVault
    function tokenOf(uint8 asset) external view override returns (address) {
        return _listed[asset].token;
    }

    /// @inheritdoc IVault
    function unitOf(uint8 asset) external view override returns (uint64) {
        return _listed[asset].unit;
    }

    /// @inheritdoc IVault
    function inboxHash(uint64 count) external view override returns (bytes32 hash) {
        (hash,) = inboxAt(count);
    }

    /// @inheritdoc IVault
    function depositSum(uint64 count) external view override returns (uint64 sum) {
        (, sum) = inboxAt(count);
    }

    /// @inheritdoc IVault
    function inboxAt(uint64 count) public view override returns (bytes32 hash, uint64 sum) {
        if (count > inboxCount) revert UnknownInboxEntry(inboxCount, count);
        return (_inboxHashes[count], _depositSums[count / SUMS_PER_WORD][count % SUMS_PER_WORD]);
    }

    /// @inheritdoc IVault
    function isClaimed(uint32 number) external view override returns (bool) {
        return _claimed.get(number);
    }

    /* WITHIN */

    /// @dev The token gets the next number.
    function _list(address token) private {
        if (token == address(0) || _assets[token].unit != 0) revert TokenRefused(token);
        uint256 number = _listed.length;
        if (number >= MAX_TOKENS) revert WrongTokenCount(MAX_TOKENS, number + 1);
        uint8 decimals = IERC20Metadata(token).decimals();
        if (decimals < MICRO_DECIMALS) revert WrongDecimals(MICRO_DECIMALS, decimals);
        if (decimals > MAX_DECIMALS) revert WrongDecimals(MAX_DECIMALS, decimals);
        uint64 unit = uint64(10 ** (decimals - MICRO_DECIMALS));
        _assets[token] = Asset({number: uint8(number), unit: unit});
        _listed.push(Listed({token: token, unit: unit}));
        emit AssetListed(uint8(number), token, unit);
    }

    function _openAccount() private returns (uint32 account) {
        account = accountCount;
        accountCount = account + 1;
        ownerOf[account] = msg.sender;
        emit AccountOpened(_enter(ACCOUNT_OPENED, account, msg.sender, 0, 0, 0), account, msg.sender);
    }

    /// @dev The transfer comes before the effects because they depend on what it brought; the guard keeps others out, and
    /// a token that calls `openAccount` or `registerKey` meanwhile only enters the inbox first.
    function _deposit(uint32 account, address token, uint256 amount) private {
        Asset memory asset = _assets[token];
        uint256 unit = asset.unit;
        if (unit == 0) revert UnsupportedToken(token);
        address owner = _knownOwner(account);
        if (amount == 0 || amount > MAX_DEPOSIT * unit) revert AmountOutOfRange(MAX_DEPOSIT * unit, amount);

        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 arrived = IERC20(token).balanceOf(address(this)) - before;
        if (arrived == 0 || arrived > amount) revert AmountOutOfRange(amount, arrived);
        if (arrived % unit != 0) revert NotWholeMicroUnits(unit, arrived);

        uint64 credit = uint64(arrived / unit);
        uint64 index = _enter(DEPOSITED, account, owner, asset.number, credit, 0);
        emit Deposited(index, account, owner, asset.number, credit);
    }

    /// @dev Appends an entry to the inbox and returns its index (docs/protocol.md, 6).
    function _enter(uint8 kind, uint32 account, address subject, uint8 asset, uint64 amount, uint48 validUntil)
        private
        returns (uint64 index)
    {
        index = inboxCount;
        uint64 count = index + 1;
        uint64 sum = _depositSum;
        if (kind == DEPOSITED && asset == 0) {
            sum += amount;
            _depositSum = sum;
        }
        inboxCount = count;
        _inboxHashes[count] =
            keccak256(abi.encodePacked(_inboxHashes[index], kind, account, subject, asset, amount, validUntil));
        _depositSums[count / SUMS_PER_WORD][count % SUMS_PER_WORD] = sum;
    }

    function _knownOwner(uint32 account) private view returns (address owner) {
        owner = ownerOf[account];
        if (owner == address(0)) revert UnknownAccount(accountCount, account);
    }
}

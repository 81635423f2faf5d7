// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "./CuckooToken.sol";
import {Messages} from "./disputes/Messages.sol";
import {IEscrow, Voucher} from "./interfaces/IEscrow.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role} from "./interfaces/StakingTypes.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice What one coordinator holds ready for one miner. Every line is one slot.
/// @param balance All of it, in wei.
/// @param thawing The part of it that is announced to be withdrawn, in wei; never more than `balance`.
/// @param thawedAt When that part can be withdrawn.
/// @param opened Whether the roles of both were found right. They never change.
/// @param redeemed What was ever paid to the miner, in wei. By whom the vouchers were signed plays no part. The whole supply
/// would have to go round 10^11 times to fill it.
/// @param fees The part of it that is kept here for the miner's stakers, in wei.
struct Account {
    uint96 balance;
    uint96 thawing;
    uint40 thawedAt;
    bool opened;
    // -
    uint128 redeemed;
    uint128 fees;
}

/// @title Escrow: what coordinators hold ready for miners, and the vouchers that miners redeem from it.
/// @notice There is no owner, no pause and no proxy. Not audited.
contract Escrow is IEscrow, ReentrancyGuardTransient {
    using SafeERC20 for CuckooToken;
    using SafeCast for uint256;

    /// @dev The chain id of a local development chain, the only one on which a thaw may be short.
    uint256 private constant DEVNET = 31_337;

    uint256 private constant SHORTEST_THAW = 1 days;
    uint256 private constant LONGEST_THAW = 30 days;

    /// @dev The most miners of one `depositMany`.
    uint256 private constant MANY = 100;

    /// @dev What the stakers of a miner get of its income, in percent.
    uint256 private constant FEES_PERCENT = 10;

    bytes32 private constant VOUCHER_TYPE =
        keccak256("Voucher(uint32 coordinatorNode,uint32 minerNode,uint256 cumulative)");

    IStaking private immutable STAKING;
    CuckooToken private immutable TOKEN;
    uint32 private immutable THAW;

    // slither-disable-next-line uninitialized-state -- it is written through references
    mapping(uint32 coordinator => mapping(uint32 miner => Account account)) private _accounts;

    /// @param staking_ The contract that knows the nodes; its token is the one that is paid.
    /// @param thawS_ How long announced funds stay redeemable, in seconds: 1 to 30 days, less on a development chain.
    constructor(IStaking staking_, uint32 thawS_) {
        uint256 shortest = block.chainid == DEVNET ? 1 : SHORTEST_THAW;
        if (thawS_ < shortest || thawS_ > LONGEST_THAW) revert ThawOutOfBounds(shortest, LONGEST_THAW, thawS_);
        STAKING = staking_;
        TOKEN = staking_.token();
        THAW = thawS_;
        // Staking takes from its caller only, and only what the caller names.
        TOKEN.forceApprove(address(staking_), type(uint256).max);
    }

    /// @inheritdoc IEscrow
    function deposit(uint32 coordinator, uint32 miner, uint256 amount) external nonReentrant {
        _credit(coordinator, miner, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IEscrow
    function depositMany(uint32 coordinator, uint32[] calldata miners, uint256[] calldata amounts)
        external
        nonReentrant
    {
        if (miners.length != amounts.length) revert LengthsDiffer(miners.length, amounts.length);
        if (miners.length > MANY) revert TooMany(MANY, miners.length);
        uint256 total = 0;
        for (uint256 i = 0; i < miners.length; ++i) {
            _credit(coordinator, miners[i], amounts[i]);
            total += amounts[i];
        }
        TOKEN.safeTransferFrom(msg.sender, address(this), total);
    }

    /// @inheritdoc IEscrow
    function thaw(uint32 coordinator, uint32 miner, uint256 amount) external {
        if (amount == 0) revert AmountZero();
        _requirePayer(coordinator);
        Account storage state = _accounts[coordinator][miner];
        uint256 thawing = state.thawing;
        uint256 firm = state.balance - thawing;
        if (amount > firm) revert BalanceTooLow(amount, firm);
        thawing += amount;
        uint40 thawedAt = (block.timestamp + THAW).toUint40();
        state.thawing = thawing.toUint96();
        state.thawedAt = thawedAt;
        emit ThawStarted(coordinator, miner, amount, thawing, thawedAt);
    }

    /// @inheritdoc IEscrow
    function withdrawThawed(uint32 coordinator, uint32 miner) external nonReentrant returns (uint256 amount) {
        Account storage state = _accounts[coordinator][miner];
        amount = state.thawing;
        if (amount == 0) revert NothingThaws(coordinator, miner);
        if (block.timestamp < state.thawedAt) revert StillThawing(state.thawedAt);
        address to = _ownerOf(coordinator);
        state.balance = (state.balance - amount).toUint96();
        state.thawing = 0;
        emit ThawedWithdrawn(coordinator, miner, to, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IEscrow
    function redeem(Voucher calldata voucher, bytes calldata signature) external nonReentrant returns (uint256 amount) {
        _requireSigned(voucher, signature);
        Account storage state = _accounts[voucher.coordinatorNode][voucher.minerNode];
        uint256 redeemed = state.redeemed;
        uint256 balance = state.balance;
        if (voucher.cumulative <= redeemed || balance == 0) revert NothingToRedeem(redeemed, balance);
        amount = Math.min(voucher.cumulative - redeemed, balance);
        redeemed += amount;
        balance -= amount;
        uint256 fees = amount * FEES_PERCENT / 100;
        state.redeemed = redeemed.toUint128();
        state.fees = (state.fees + fees).toUint128();
        state.balance = balance.toUint96();
        if (state.thawing > balance) state.thawing = balance.toUint96();

        address payee = STAKING.payeeOf(voucher.minerNode);
        emit Redeemed(voucher.coordinatorNode, voucher.minerNode, payee, amount, fees, redeemed);
        TOKEN.safeTransfer(payee, amount - fees);
    }

    /// @inheritdoc IEscrow
    function passFees(uint32 coordinator, uint32 miner) external nonReentrant returns (uint256 amount) {
        Account storage state = _accounts[coordinator][miner];
        amount = state.fees;
        if (amount == 0) revert NoFees(coordinator, miner);
        state.fees = 0;
        emit FeesPassed(coordinator, miner, amount);
        STAKING.addFees(miner, amount);
    }

    /// @inheritdoc IEscrow
    function account(uint32 coordinator, uint32 miner)
        external
        view
        returns (uint256 balance, uint256 thawing, uint40 thawedAt, uint256 redeemed, uint256 fees)
    {
        Account storage state = _accounts[coordinator][miner];
        return (state.balance, state.thawing, state.thawedAt, state.redeemed, state.fees);
    }

    /// @inheritdoc IEscrow
    function thawS() external view returns (uint32) {
        return THAW;
    }

    /// @inheritdoc IEscrow
    function staking() external view returns (IStaking) {
        return STAKING;
    }

    /// @inheritdoc IEscrow
    function token() external view returns (CuckooToken) {
        return TOKEN;
    }

    /// @inheritdoc IEscrow
    function voucherDigest(Voucher calldata voucher) public view returns (bytes32) {
        return Messages.digest(
            address(STAKING),
            // forge-lint: disable-next-line(asm-keccak256)
            keccak256(abi.encode(VOUCHER_TYPE, voucher.coordinatorNode, voucher.minerNode, voucher.cumulative))
        );
    }

    /// @dev Adds to a balance; the tokens are still to be taken.
    function _credit(uint32 coordinator, uint32 miner, uint256 amount) private {
        if (amount == 0) revert AmountZero();
        Account storage state = _accounts[coordinator][miner];
        if (!state.opened) {
            _requireRoles(coordinator, miner);
            state.opened = true;
        }
        state.balance = (state.balance + amount).toUint96();
        emit Deposited(coordinator, miner, msg.sender, amount);
    }

    function _requireRoles(uint32 coordinator, uint32 miner) private view {
        if (_roleOf(coordinator) != Role.Coordinator) revert NotCoordinator(coordinator);
        if (_roleOf(miner) != Role.Miner) revert NotMiner(miner);
    }

    function _ownerOf(uint32 node) private view returns (address owner) {
        // slither-disable-next-line unused-return -- the role is known
        (owner,) = STAKING.ownerOf(node);
    }

    function _roleOf(uint32 node) private view returns (Role role) {
        // slither-disable-next-line unused-return,calls-loop -- it is about the role; the loop is bounded, Staking is ours
        (, role) = STAKING.ownerOf(node);
    }

    function _requirePayer(uint32 coordinator) private view {
        if (msg.sender == _ownerOf(coordinator)) return;
        (uint32 node, uint40 replacedAt) = STAKING.operatorOf(msg.sender);
        if (node != coordinator || replacedAt != 0) revert NotPayer(coordinator, msg.sender);
    }

    function _requireSigned(Voucher calldata voucher, bytes calldata signature) private view {
        // slither-disable-next-line unused-return -- whatever is wrong, the signer is then nobody
        (address signer,,) = ECDSA.tryRecover(voucherDigest(voucher), signature);
        (uint32 node, uint40 replacedAt) = STAKING.operatorOf(signer);
        if (node == 0 || node != voucher.coordinatorNode) revert VoucherSignerInvalid(voucher.coordinatorNode, signer);
        uint256 validUntil = uint256(replacedAt) + THAW;
        if (replacedAt != 0 && block.timestamp > validUntil) revert VoucherSignerReplaced(signer, validUntil);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../interfaces/IStaking.sol";
import {Registration, Role, Tranche} from "../interfaces/StakingTypes.sol";
import {Node, OperatorState, SeedTip} from "./StakingState.sol";
import {Votes} from "./Votes.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Registry: who runs a node, who owns it, and what it says about itself.
abstract contract Registry is Votes, EIP712 {
    uint256 private constant INTRODUCTION_LIMIT = 1024;
    uint256 private constant COMMISSION_LIMIT = 10_000;
    uint256 private constant COMMISSION_STEP = 500;

    bytes32 private constant CONSENT_TYPE =
        keccak256("OperatorConsent(address owner,uint8 role,address operator,uint256 deadline)");

    /// @inheritdoc IStaking
    function register(Registration calldata r) external whenEntriesOpen returns (uint32 id) {
        if (r.amount < _minimumOf(r.role)) revert StakeTooLow(_minimumOf(r.role), r.amount);
        if (r.maxCommissionBps > COMMISSION_LIMIT) revert CommissionTooHigh(COMMISSION_LIMIT, r.maxCommissionBps);
        if (r.commissionBps > r.maxCommissionBps) revert CommissionTooHigh(r.maxCommissionBps, r.commissionBps);
        _checkIntroduction(r.introduction);
        _takeIdle(msg.sender, r.amount);

        id = ++_lastNode;
        Node storage node = _nodes[id];
        node.owner = msg.sender;
        node.role = r.role;
        node.commissionBps = r.commissionBps;
        node.maxCommissionBps = r.maxCommissionBps;
        node.floor = SafeCast.toUint96(_minimumOf(r.role));
        node.introductionBlock = SafeCast.toUint40(block.number);
        _bindOperator(id, node, r.operator, r.deadline, r.operatorSig);
        _roles[r.role].nodes.push(id);
        emit Registered(
            id, r.role, msg.sender, r.operator, r.amount, r.commissionBps, r.maxCommissionBps, r.introduction
        );
        _settle(id, node);
        uint256 shares = _deposit(id, node, Tranche.Own, r.amount);
        emit Voted(id, Tranche.Own, msg.sender, r.amount, shares);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function setIntroduction(uint32 id, string calldata introduction) external {
        Node storage node = _owned(id);
        _checkIntroduction(introduction);
        node.introductionBlock = SafeCast.toUint40(block.number);
        emit IntroductionChanged(id, introduction);
    }

    /// @inheritdoc IStaking
    function rotateOperator(uint32 id, address operator, uint256 deadline, bytes calldata operatorSig) external {
        Node storage node = _owned(id);
        address previous = node.operator;
        _bindOperator(id, node, operator, deadline, operatorSig);
        _operators[previous].replacedAt = _now();
        emit OperatorRotated(id, previous, operator);
    }

    /// @inheritdoc IStaking
    function transferOwner(uint32 id, address newOwner) external {
        Node storage node = _owned(id);
        node.pendingOwner = newOwner;
        emit OwnerTransferStarted(id, msg.sender, newOwner);
    }

    /// @inheritdoc IStaking
    function acceptOwner(uint32 id) external {
        Node storage node = _existing(id);
        if (msg.sender != node.pendingOwner) revert NotPendingOwner(id, msg.sender);
        address previous = node.owner;
        _settle(id, node);
        uint256 settled = _collectOwn(id, node);
        _idle[previous] += settled;
        _moveJuryWeight(node, previous, msg.sender);
        node.owner = msg.sender;
        node.pendingOwner = address(0);
        node.payee = address(0);
        emit OwnerTransferred(id, previous, msg.sender, settled);
    }

    /// @inheritdoc IStaking
    function setPayee(uint32 id, address payee) external {
        _owned(id).payee = payee;
        emit PayeeChanged(id, payee);
    }

    /// @inheritdoc IStaking
    function setCommission(uint32 id, uint16 commissionBps) external {
        Node storage node = _owned(id);
        _settle(id, node);
        uint256 present = node.commissionBps;
        if (commissionBps <= present) {
            node.commissionBps = commissionBps;
            node.nextCommissionAt = 0;
            emit CommissionChanged(id, commissionBps);
            return;
        }
        if (commissionBps > node.maxCommissionBps) revert CommissionTooHigh(node.maxCommissionBps, commissionBps);
        if (commissionBps > present + COMMISSION_STEP) {
            revert CommissionTooHigh(present + COMMISSION_STEP, commissionBps);
        }
        uint40 effectiveAt = _now() + COMMISSION_NOTICE;
        node.nextCommissionBps = commissionBps;
        node.nextCommissionAt = effectiveAt;
        emit CommissionAnnounced(id, commissionBps, effectiveAt);
    }

    /// @inheritdoc IStaking
    function commitSeedTip(uint32 id, bytes32 tip) external {
        Node storage node = _existing(id);
        if (msg.sender != node.operator) revert NotOperator(id, msg.sender);
        if (node.role != Role.Coordinator) revert NotCoordinator(id);
        if (tip == bytes32(0)) revert TipZero();
        if (_seedTips[id][tip].committedAt != 0) revert TipTaken(id, tip);
        _seedTips[id][tip] = SeedTip({committedAt: _now(), blockNumber: SafeCast.toUint40(block.number)});
        emit SeedTipCommitted(id, tip);
    }

    /// @dev Makes an operator who consents run a node. A key belongs to one node for ever.
    function _bindOperator(uint32 id, Node storage node, address operator, uint256 deadline, bytes calldata signature)
        private
    {
        if (operator == address(0)) revert OperatorZero();
        OperatorState storage state = _operators[operator];
        if (state.node != 0) revert OperatorTaken(operator, state.node);
        if (block.timestamp > deadline) revert ConsentExpired(deadline);
        // forge-lint: disable-next-line(asm-keccak256)
        bytes32 consent = keccak256(abi.encode(CONSENT_TYPE, msg.sender, node.role, operator, deadline));
        // slither-disable-next-line unused-return -- whatever is wrong, the signer is not the operator
        (address signer,,) = ECDSA.tryRecover(_hashTypedDataV4(consent), signature);
        if (signer != operator) revert ConsentInvalid(operator, signer);
        state.node = id;
        node.operator = operator;
    }

    function _checkIntroduction(string calldata introduction) private pure {
        uint256 length = bytes(introduction).length;
        if (length > INTRODUCTION_LIMIT) revert IntroductionTooLong(INTRODUCTION_LIMIT, length);
    }
}

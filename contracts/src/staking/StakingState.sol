// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role, Tranche} from "../interfaces/StakingTypes.sol";
import {Position, TrancheState} from "./Shares.sol";
import {StakingParameters} from "./StakingParameters.sol";

/// @notice A node as it is stored. Every line is one slot.
/// @param owner The staker it belongs to; zero if there is no such node.
/// @param weight Recorded weight, in wei. Above zero means eligible.
/// @param floor Own active stake it needs to be eligible, in wei.
/// @param jailedUntil Zero if it is not jailed.
/// @param emissionIndex `RoleState.rewardPerWeight` up to which it was settled.
/// @param commissionOwed Commission, and what a wiped own tranche had earned, in wei: the owner's.
/// @param feesLeft Fees still to be streamed, in wei.
/// @param feesRemaining How long they still stream, in nanoseconds.
/// @param feesAt Until when they have been streamed.
/// @param undivided What could not be expressed per share yet, in wei.
/// @param jury See `JuryWeights`.
/// @param judgedAt When it was last slashed by a jury.
/// @param judgedBefore When it was before that.
struct Node {
    address owner;
    Role role;
    uint16 commissionBps;
    uint16 maxCommissionBps;
    uint16 nextCommissionBps;
    uint40 nextCommissionAt;
    // -
    uint96 weight;
    uint96 floor;
    uint40 jailedUntil;
    // -
    uint120 emissionIndex;
    uint96 commissionOwed;
    // -
    uint96 feesLeft;
    uint56 feesRemaining;
    uint40 feesAt;
    uint64 undivided;
    // - two each
    TrancheState own;
    TrancheState votes;
    // -
    uint256 jury;
    // -
    address operator;
    uint40 judgedAt;
    uint40 judgedBefore;
    // -
    address payee;
    uint40 introductionBlock;
    // -
    address pendingOwner;
}

/// @notice What all nodes of a role share. Every line is one slot.
/// @param rewardPerWeight What one wei of weight has earned, x 10^18.
/// @param weight Sum of the recorded weights, in wei.
/// @param settledAt Until when the reserve has been streamed.
/// @param reserve What is left to stream, in wei.
/// @param remainder What the last division left, in wei x 10^-18.
/// @param rate How fast the reserve is streamed, in wei a second.
/// @param jury See `JuryWeights`.
/// @param nodes Ids in order of registration.
struct RoleState {
    uint120 rewardPerWeight;
    uint96 weight;
    uint40 settledAt;
    // -
    uint96 reserve;
    uint96 remainder;
    uint64 rate;
    // -
    uint256 jury;
    // -
    uint32[] nodes;
}

/// @notice What an operator key belongs to, for ever.
struct OperatorState {
    uint32 node;
    uint40 replacedAt;
}

/// @notice When a seed tip was committed.
struct SeedTip {
    uint40 committedAt;
    uint40 blockNumber;
}

/// @title All storage of Staking, and how it is reached.
abstract contract StakingState is StakingParameters {
    mapping(address staker => uint256 amount) internal _idle;
    mapping(uint32 id => Node node) internal _nodes;
    mapping(Role role => RoleState state) internal _roles;
    mapping(address owner => mapping(Role role => uint256 jury)) internal _ownerJury;
    mapping(address operator => OperatorState state) internal _operators;
    mapping(uint32 node => mapping(bytes32 tip => SeedTip state)) internal _seedTips;
    mapping(bytes32 faultId => bool punished) internal _convicted;
    mapping(address account => bool slasher) internal _slashers;

    /// @dev The own tranche has one holder, whoever that is: address zero stands for the owner.
    mapping(uint32 node => mapping(uint32 generation => mapping(address holder => Position position))) internal
        _positions;
    mapping(
        uint32 node
            => mapping(uint32 generation => mapping(address holder => mapping(uint256 bucket => uint256 shares)))
    ) internal _buckets;

    /// @dev What one share of the votes had earned when its generation was wiped.
    mapping(uint32 node => mapping(uint32 generation => uint256 rewardPerShare)) internal _wipedRewardPerShare;

    /// @dev Who may pause without the owner's delay.
    address internal _guardian;
    uint40 internal _pausedUntil;
    uint40 internal _pauseAllowedFrom;
    uint32 internal _lastNode;

    /// @dev The node, if there is one.
    function _existing(uint32 id) internal view returns (Node storage node) {
        node = _nodes[id];
        if (node.owner == address(0)) revert NodeUnknown(id);
    }

    /// @dev The node, if the caller owns it.
    function _owned(uint32 id) internal view returns (Node storage node) {
        node = _existing(id);
        if (msg.sender != node.owner) revert NotOwner(id, msg.sender);
    }

    /// @dev A tranche, and under which address its holder's positions are kept.
    function _trancheOf(Node storage node, Tranche tranche, address staker)
        internal
        view
        returns (TrancheState storage state, address holder)
    {
        return tranche == Tranche.Own ? (node.own, address(0)) : (node.votes, staker);
    }

    /// @dev Takes from the idle stake of `staker`.
    function _takeIdle(address staker, uint256 amount) internal {
        uint256 idle = _idle[staker];
        if (idle < amount) revert IdleStakeTooLow(amount, idle);
        unchecked {
            _idle[staker] = idle - amount;
        }
    }

    /// @dev The present time.
    function _now() internal view returns (uint40) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint40(block.timestamp); // enough for 34,000 years
    }
}

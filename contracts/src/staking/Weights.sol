// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../interfaces/IStaking.sol";
import {Role} from "../interfaces/StakingTypes.sol";
import {JuryWeights} from "./JuryWeights.sol";
import {Rewards} from "./Rewards.sol";
import {Shares, TrancheState} from "./Shares.sol";
import {Node, RoleState} from "./StakingState.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Weights: who is eligible, and how much counts in draws, rewards and juries.
abstract contract Weights is Rewards {
    using JuryWeights for uint256;
    using Shares for TrancheState;

    /// @dev Own stake that makes a node eligible, in wei.
    uint256 private constant MINER_MINIMUM = 20_000 ether;
    uint256 private constant COORDINATOR_MINIMUM = 2_000_000 ether;

    /// @dev Weight is at most this many times the own active stake.
    uint256 private constant LEVERAGE = 10;

    uint256 private constant WHOLE_CAI = 1 ether;

    /// @inheritdoc IStaking
    function poke(uint32 id) external {
        Node storage node = _existing(id);
        _settle(id, node);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function unjail(uint32 id) external {
        Node storage node = _existing(id);
        if (msg.sender != node.owner && msg.sender != node.operator) revert NotOwner(id, msg.sender);
        uint40 until = node.jailedUntil;
        if (until == 0) revert NotJailed(id);
        if (block.timestamp < until) revert StillJailed(id, until);
        _settle(id, node);
        node.jailedUntil = 0;
        emit Unjailed(id);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function juryEpochNow() external view returns (uint256) {
        return _epoch();
    }

    /// @inheritdoc IStaking
    function nodeWeightAt(uint32 node, uint256 epoch) external view returns (uint256) {
        return _closed(_nodes[node].jury, epoch);
    }

    /// @inheritdoc IStaking
    function ownerWeightAt(address nodeOwner, Role role, uint256 epoch) external view returns (uint256) {
        return _closed(_ownerJury[nodeOwner][role], epoch);
    }

    /// @inheritdoc IStaking
    function roleWeightAt(Role role, uint256 epoch) external view returns (uint256) {
        return _closed(_roles[role].jury, epoch);
    }

    /// @dev Records the weight of a node anew. It must have been settled with the old one.
    function _weigh(uint32 id, Node storage node) internal {
        uint256 own = node.own.activeTokens();
        uint256 votes = node.votes.activeTokens();
        uint256 floor = node.floor;
        uint256 minimum = _minimumOf(node.role);
        if (own >= minimum && floor < minimum) {
            floor = minimum;
            node.floor = SafeCast.toUint96(floor);
        }
        uint256 weight = node.jailedUntil == 0 && own >= floor ? Math.min(own + votes, LEVERAGE * own) : 0;
        uint256 previous = node.weight;
        if (weight != previous) {
            node.weight = SafeCast.toUint96(weight);
            RoleState storage role = _roles[node.role];
            role.weight = SafeCast.toUint96(role.weight - previous + weight);
            _recordForJuries(node, role, previous / WHOLE_CAI, weight / WHOLE_CAI);
        }
        emit Weighed(id, weight, own, votes, floor);
    }

    /// @dev Lets a slash alone not end a node: up to a tenth below the minimum it stays eligible.
    function _lowerFloor(Node storage node) internal {
        uint256 lowest = Math.max(_minimumOf(node.role) * 9 / 10, node.own.activeTokens());
        if (lowest < node.floor) node.floor = SafeCast.toUint96(lowest);
    }

    /// @dev Moves the weight of a node from one owner to another. The node forgets the epochs that are closed: a party to a
    /// dispute, whose nodes can not judge it, could else hand one to somebody else for that time.
    function _moveJuryWeight(Node storage node, address from, address to) internal {
        uint256 weight = node.weight / WHOLE_CAI;
        uint256 epoch = _epoch();
        node.jury = uint256(0).changed(epoch, 0, weight);
        _ownerJury[from][node.role] = _ownerJury[from][node.role].changed(epoch, weight, 0);
        _ownerJury[to][node.role] = _ownerJury[to][node.role].changed(epoch, 0, weight);
    }

    /// @dev Own stake that makes a node of a role eligible, in wei.
    function _minimumOf(Role role) internal pure returns (uint256) {
        return role == Role.Miner ? MINER_MINIMUM : COORDINATOR_MINIMUM;
    }

    function _recordForJuries(Node storage node, RoleState storage role, uint256 previous, uint256 weight) private {
        if (weight == previous) return;
        uint256 epoch = _epoch();
        node.jury = node.jury.changed(epoch, previous, weight);
        role.jury = role.jury.changed(epoch, previous, weight);
        _ownerJury[node.owner][node.role] = _ownerJury[node.owner][node.role].changed(epoch, previous, weight);
    }

    function _closed(uint256 jury, uint256 epoch) private view returns (uint256) {
        uint256 running = _epoch();
        if (epoch >= running) revert EpochNotClosed(epoch, running);
        return jury.atEndOf(epoch);
    }

    function _epoch() private view returns (uint256) {
        return block.timestamp / JURY_EPOCH;
    }
}

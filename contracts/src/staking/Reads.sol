// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../interfaces/IStaking.sol";
import {NodeView, Role, TrancheView} from "../interfaces/StakingTypes.sol";
import {Shares, TrancheState} from "./Shares.sol";
import {Node, OperatorState, RoleState, SeedTip, StakingState} from "./StakingState.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Reads: whole rows, so that a client syncs the network in a few calls.
abstract contract Reads is StakingState {
    using Shares for TrancheState;

    /// @inheritdoc IStaking
    function nodeOf(uint32 id) external view returns (NodeView memory) {
        _existing(id);
        return _row(id);
    }

    /// @inheritdoc IStaking
    function nodes(Role role, uint256 cursor, uint256 limit)
        external
        view
        returns (NodeView[] memory rows, uint256 next)
    {
        uint32[] storage ids = _roles[role].nodes;
        uint256 start = Math.min(cursor, ids.length);
        uint256 end = start + Math.min(limit, ids.length - start);
        rows = new NodeView[](end - start);
        for (uint256 i = start; i < end; ++i) {
            rows[i - start] = _row(ids[i]);
        }
        next = end < ids.length ? end : 0;
    }

    /// @inheritdoc IStaking
    function nodeCount(Role role) external view returns (uint256) {
        return _roles[role].nodes.length;
    }

    /// @inheritdoc IStaking
    function ownerOf(uint32 id) external view returns (address nodeOwner, Role role) {
        Node storage node = _existing(id);
        return (node.owner, node.role);
    }

    /// @inheritdoc IStaking
    function payeeOf(uint32 id) external view returns (address) {
        return _payee(id);
    }

    /// @inheritdoc IStaking
    function operatorOf(address operator) external view returns (uint32 node, uint40 replacedAt) {
        OperatorState storage state = _operators[operator];
        return (state.node, state.replacedAt);
    }

    /// @inheritdoc IStaking
    function seedTip(uint32 node, bytes32 tip) external view returns (uint40 committedAt, uint40 blockNumber) {
        SeedTip storage state = _seedTips[node][tip];
        return (state.committedAt, state.blockNumber);
    }

    /// @inheritdoc IStaking
    function roleOf(Role role) external view returns (uint256 weight, uint256 emissionRate, uint256 reserve) {
        RoleState storage state = _roles[role];
        return (state.weight, state.rate, state.reserve);
    }

    function _row(uint32 id) private view returns (NodeView memory row) {
        Node storage node = _nodes[id];
        row.id = id;
        row.role = node.role;
        row.owner = node.owner;
        row.operator = node.operator;
        row.payee = _payee(id);
        row.pendingOwner = node.pendingOwner;
        row.weight = node.weight;
        row.floor = node.floor;
        row.own = _tranche(node.own);
        row.votes = _tranche(node.votes);
        row.commissionBps = node.commissionBps;
        row.maxCommissionBps = node.maxCommissionBps;
        row.nextCommissionBps = node.nextCommissionBps;
        row.nextCommissionAt = node.nextCommissionAt;
        row.jailedUntil = node.jailedUntil;
        row.introductionBlock = node.introductionBlock;
    }

    function _payee(uint32 id) private view returns (address payee) {
        payee = _nodes[id].payee;
        if (payee == address(0)) payee = _existing(id).owner;
    }

    function _tranche(TrancheState storage tranche) private view returns (TrancheView memory) {
        return TrancheView({
            tokens: tranche.tokens,
            shares: tranche.shares,
            activeShares: tranche.active,
            activeTokens: tranche.activeTokens(),
            generation: tranche.generation
        });
    }
}

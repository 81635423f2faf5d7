// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../interfaces/IStaking.sol";
import {Tranche} from "../interfaces/StakingTypes.sol";
import {Position, Shares, TrancheState} from "./Shares.sol";
import {Node} from "./StakingState.sol";
import {Weights} from "./Weights.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Votes: stake goes behind a node, waits on its way out, and comes free.
abstract contract Votes is Weights {
    using Shares for Position;
    using Shares for TrancheState;

    /// @dev The least that can be voted with, in wei.
    uint256 private constant VOTE_MINIMUM = 1 ether;

    /// @inheritdoc IStaking
    function vote(uint32 id, Tranche tranche, uint256 amount, uint256 minShares)
        external
        whenEntriesOpen
        returns (uint256 shares)
    {
        if (amount < VOTE_MINIMUM) revert VoteTooLow(VOTE_MINIMUM, amount);
        Node storage node = _holding(id, tranche);
        _takeIdle(msg.sender, amount);
        _settle(id, node);
        shares = _deposit(id, node, tranche, amount);
        if (shares < minShares) revert SharesTooFew(minShares, shares);
        emit Voted(id, tranche, msg.sender, amount, shares);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function unvote(uint32 id, Tranche tranche, uint256 shares) external returns (uint256 bucket) {
        if (shares == 0) revert SharesZero();
        Node storage node = _holding(id, tranche);
        (TrancheState storage state, address holder) = _trancheOf(node, tranche, msg.sender);
        Position storage position = _positions[id][state.generation][holder];
        if (position.shares < shares) revert SharesTooFew(shares, position.shares);
        _settle(id, node);
        position.removeShares(shares, state.rewardPerShare);
        state.deactivate(shares);
        bucket = Math.ceilDiv(block.timestamp + UNBONDING, RELEASE_BUCKET);
        _buckets[id][state.generation][holder][bucket] += shares;
        emit Unvoted(id, tranche, msg.sender, shares, bucket);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function revote(uint32 id, Tranche tranche, uint256 shares, uint256 bucket) external {
        if (shares == 0) revert SharesZero();
        Node storage node = _holding(id, tranche);
        (TrancheState storage state, address holder) = _trancheOf(node, tranche, msg.sender);
        uint256 waiting = _buckets[id][state.generation][holder][bucket];
        if (waiting < shares) revert SharesTooFew(shares, waiting);
        _settle(id, node);
        _buckets[id][state.generation][holder][bucket] = waiting - shares;
        state.activate(shares);
        _positions[id][state.generation][holder].addShares(shares, state.rewardPerShare);
        emit Revoted(id, tranche, msg.sender, shares, bucket);
        _weigh(id, node);
    }

    /// @inheritdoc IStaking
    function release(uint32 id, Tranche tranche, address staker, uint256 bucket) external returns (uint256 amount) {
        Node storage node = _existing(id);
        uint256 releasedAt = bucket * RELEASE_BUCKET;
        if (block.timestamp < releasedAt) revert BucketNotReached(releasedAt, block.timestamp);
        (TrancheState storage state, address holder) = _trancheOf(node, tranche, staker);
        uint256 shares = _buckets[id][state.generation][holder][bucket];
        if (shares == 0) revert SharesZero();
        _buckets[id][state.generation][holder][bucket] = 0;
        // Active shares do not change, and their price by dust only: neither settling nor weighing is needed.
        amount = state.withdraw(shares);
        address to = tranche == Tranche.Own ? node.owner : staker;
        _idle[to] += amount;
        emit Released(id, tranche, to, amount, shares, bucket);
    }

    /// @inheritdoc IStaking
    function activeShares(uint32 id, Tranche tranche, address staker) external view returns (uint256) {
        (TrancheState storage state, address holder) = _trancheOf(_nodes[id], tranche, staker);
        return _positions[id][state.generation][holder].shares;
    }

    /// @inheritdoc IStaking
    function unbondingShares(uint32 id, Tranche tranche, address staker, uint256 bucket)
        external
        view
        returns (uint256)
    {
        (TrancheState storage state, address holder) = _trancheOf(_nodes[id], tranche, staker);
        return _buckets[id][state.generation][holder][bucket];
    }

    /// @dev Turns tokens into active shares of the caller. The node is settled, and to be weighed afterwards.
    function _deposit(uint32 id, Node storage node, Tranche tranche, uint256 amount) internal returns (uint256 shares) {
        (TrancheState storage state, address holder) = _trancheOf(node, tranche, msg.sender);
        shares = state.deposit(amount);
        _positions[id][state.generation][holder].addShares(shares, state.rewardPerShare);
    }

    /// @dev The node, if the caller may hold shares of that tranche.
    function _holding(uint32 id, Tranche tranche) private view returns (Node storage) {
        return tranche == Tranche.Own ? _owned(id) : _existing(id);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {Role, Tranche} from "../interfaces/StakingTypes.sol";
import {IdleStake} from "./IdleStake.sol";
import {Position, Shares, TrancheState} from "./Shares.sol";
import {Node, RoleState} from "./StakingState.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Rewards: a reserve streamed by recorded weight, and the fees of each node streamed to its stakers.
/// @notice They lie outside the stake. What rounding leaves stays here.
abstract contract Rewards is IdleStake {
    using SafeERC20 for CuckooToken;
    using Shares for Position;
    using Shares for TrancheState;

    /// @dev The owner can never set a faster stream than a tenth of all CAI a year, in wei a second.
    uint256 private constant FASTEST_EMISSION = uint256(100_000_000 ether) / 365 days;

    /// @dev The miners' part of the emission, in percent; the rest is the coordinators'.
    uint256 private constant MINERS_PERCENT = 60;

    uint256 private constant BPS = 10_000;
    uint256 private constant NANOSECONDS = 1e9;

    /// @inheritdoc IStaking
    function fundReserve(uint256 amount) external nonReentrant {
        if (amount == 0) revert AmountZero();
        uint256 miners = amount * MINERS_PERCENT / 100;
        _addReserve(Role.Miner, miners);
        _addReserve(Role.Coordinator, amount - miners);
        emit ReserveFunded(msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStaking
    function setEmissionRate(uint256 weiPerSecond) external onlyOwner {
        if (weiPerSecond > FASTEST_EMISSION) revert EmissionRateTooHigh(FASTEST_EMISSION, weiPerSecond);
        uint256 miners = weiPerSecond * MINERS_PERCENT / 100;
        _settleRole(Role.Miner).rate = SafeCast.toUint64(miners);
        _settleRole(Role.Coordinator).rate = SafeCast.toUint64(weiPerSecond - miners);
        emit EmissionRateChanged(weiPerSecond);
    }

    /// @inheritdoc IStaking
    function addFees(uint32 id, uint256 amount) external nonReentrant {
        if (amount == 0) revert AmountZero();
        Node storage node = _existing(id);
        _settle(id, node);
        uint256 left = node.feesLeft;
        uint256 time = left * node.feesRemaining + amount * FEE_STREAM * NANOSECONDS;
        left += amount;
        node.feesLeft = SafeCast.toUint96(left);
        node.feesRemaining = SafeCast.toUint56(Math.ceilDiv(time, left));
        node.feesAt = _now();
        emit FeesAdded(id, msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStaking
    function claim(uint32 id, Tranche tranche) external nonReentrant returns (uint256 amount) {
        Node storage node = tranche == Tranche.Own ? _owned(id) : _existing(id);
        _settle(id, node);
        if (tranche == Tranche.Own) {
            amount = _collectOwn(id, node);
        } else {
            amount = _positions[id][node.votes.generation][msg.sender].collect(node.votes.rewardPerShare);
        }
        _payRewards(id, tranche, amount);
    }

    /// @inheritdoc IStaking
    function claimWiped(uint32 id, uint32 generation) external nonReentrant returns (uint256 amount) {
        if (generation >= _existing(id).votes.generation) revert NotWiped(id, generation);
        amount = _positions[id][generation][msg.sender].collect(_wipedRewardPerShare[id][generation]);
        _payRewards(id, Tranche.Votes, amount);
    }

    /// @dev Takes what the owner has earned: commission and the rewards of its tranche. The node is settled.
    function _collectOwn(uint32 id, Node storage node) internal returns (uint256 amount) {
        amount = node.commissionOwed + _positions[id][node.own.generation][address(0)].collect(node.own.rewardPerShare);
        node.commissionOwed = 0;
    }

    /// @dev Pays out what a node has earned since it was last settled, with the weight and the shares of that time.
    function _settle(uint32 id, Node storage node) internal {
        RoleState storage role = _settleRole(node.role);
        uint256 earned = uint256(node.weight) * (role.rewardPerWeight - node.emissionIndex) / Shares.SCALE;
        node.emissionIndex = role.rewardPerWeight;

        uint256 own = _earning(node.own);
        uint256 all = own + _earning(node.votes);
        if (all == 0) {
            // Nobody is there: the fees wait, so that whoever comes first does not find a heap.
            if (node.feesLeft > 0) node.feesAt = _now();
        } else {
            earned += _streamFees(node);
        }
        if (earned > 0) {
            // slither-disable-next-line divide-before-multiply -- it is a part of what was really earned
            uint256 commission = earned * node.commissionBps / BPS;
            if (commission > 0) node.commissionOwed = SafeCast.toUint96(node.commissionOwed + commission);
            uint256 pool = node.undivided + earned - commission;
            uint256 ownPart = pool * own / all;
            node.undivided = SafeCast.toUint64(node.own.distribute(ownPart) + node.votes.distribute(pool - ownPart));
        }
        if (node.nextCommissionAt != 0 && block.timestamp >= node.nextCommissionAt) {
            // Only now: what was earned until the first settlement after the notice falls under the old commission.
            node.commissionBps = node.nextCommissionBps;
            node.nextCommissionAt = 0;
            emit CommissionChanged(id, node.commissionBps);
        }
    }

    /// @dev Streams the reserve of a role up to now.
    function _settleRole(Role which) internal returns (RoleState storage role) {
        role = _roles[which];
        uint256 elapsed = block.timestamp - role.settledAt;
        if (elapsed == 0) return role;
        role.settledAt = _now();
        uint256 weight = role.weight;
        uint256 reserve = role.reserve;
        if (weight == 0 || reserve == 0) return role;
        uint256 streamed = Math.min(role.rate * elapsed, reserve);
        uint256 scaled = streamed * Shares.SCALE + role.remainder;
        role.rewardPerWeight = SafeCast.toUint120(role.rewardPerWeight + scaled / weight);
        role.remainder = SafeCast.toUint96(scaled % weight);
        role.reserve = SafeCast.toUint96(reserve - streamed);
    }

    /// @dev Takes out of the node's fees what is due by now.
    function _streamFees(Node storage node) private returns (uint256 due) {
        uint256 left = node.feesLeft;
        if (left == 0) return 0;
        uint256 elapsed = (block.timestamp - node.feesAt) * NANOSECONDS;
        uint256 remaining = node.feesRemaining;
        due = elapsed >= remaining ? left : left * elapsed / remaining;
        node.feesLeft = SafeCast.toUint96(left - due);
        node.feesRemaining = elapsed >= remaining ? 0 : SafeCast.toUint56(remaining - elapsed);
        node.feesAt = _now();
    }

    function _addReserve(Role which, uint256 amount) private {
        RoleState storage role = _settleRole(which);
        role.reserve = SafeCast.toUint96(role.reserve + amount);
    }

    function _payRewards(uint32 id, Tranche tranche, uint256 amount) private {
        emit Claimed(id, tranche, msg.sender, amount);
        if (amount > 0) TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @dev The stake of a tranche that takes rewards, in wei.
    function _earning(TrancheState storage tranche) private view returns (uint256 active) {
        active = tranche.activeTokens();
        return active < Shares.EARNING_MINIMUM ? 0 : active;
    }
}

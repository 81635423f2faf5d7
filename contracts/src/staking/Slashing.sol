// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {Fault, Tranche} from "../interfaces/StakingTypes.sol";
import {Registry} from "./Registry.sol";
import {Position, Shares, TrancheState} from "./Shares.sol";
import {Node} from "./StakingState.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Slashing: by the contracts named at deployment only. It clamps and never reverts, so that no dispute gets stuck.
abstract contract Slashing is Registry {
    using SafeERC20 for CuckooToken;
    using Shares for Position;
    using Shares for TrancheState;

    /// @dev A jury's slash takes one part in this many of a tranche, and so does a penalty at most.
    uint256 private constant JUDGED_DIVISOR = 20;

    /// @dev An equivocation takes one part in this many of the own tranche.
    uint256 private constant EQUIVOCATION_DIVISOR = 2;

    /// @dev The votes lose at most this many times what the own tranche lost.
    uint256 private constant VOTES_MULTIPLE = 10;

    /// @dev Two judged slashes of 5 % each fit into such a time, hence less than 10 % of a tranche.
    uint256 private constant JUDGED_WINDOW = 7 days;

    modifier onlySlasher() {
        _requireSlasher();
        _;
    }

    constructor(address[] memory slashers) {
        for (uint256 i = 0; i < slashers.length; ++i) {
            _slashers[slashers[i]] = true;
        }
    }

    /// @inheritdoc IStaking
    function slash(uint32 id, Fault fault, bytes32 faultId, uint256 payout)
        external
        onlySlasher
        nonReentrant
        returns (uint256 ownLoss, uint256 votesLoss, uint256 paid)
    {
        Node storage node = _nodes[id];
        if (node.owner == address(0) || _convicted[faultId]) return (0, 0, 0);
        _convicted[faultId] = true;
        _settle(id, node);
        if (fault == Fault.Equivocation) {
            ownLoss = node.own.tokens / EQUIVOCATION_DIVISOR;
        } else if (block.timestamp >= node.judgedBefore + JUDGED_WINDOW) {
            ownLoss = node.own.tokens / JUDGED_DIVISOR;
            // slither-disable-next-line divide-before-multiply -- ten times what was really lost, not what might have been
            votesLoss = Math.min(node.votes.tokens / JUDGED_DIVISOR, VOTES_MULTIPLE * ownLoss);
            node.judgedBefore = node.judgedAt;
            node.judgedAt = _now();
        }
        paid = Math.min(payout, ownLoss / 2);
        node.jailedUntil = _jailedUntil(node);
        emit Slashed(id, faultId, fault, ownLoss, votesLoss, paid, node.jailedUntil);
        uint256 burned = ownLoss + votesLoss - paid + _lose(id, node, ownLoss, votesLoss);
        _burn(burned);
        if (paid > 0) TOKEN.safeTransfer(msg.sender, paid);
    }

    /// @inheritdoc IStaking
    function penalise(uint32 id, uint256 amount) external onlySlasher nonReentrant returns (uint256 ownLoss) {
        Node storage node = _nodes[id];
        if (node.owner == address(0)) return 0;
        _settle(id, node);
        ownLoss = Math.min(amount, node.own.tokens / JUDGED_DIVISOR);
        emit Penalised(id, ownLoss);
        _burn(ownLoss + _lose(id, node, ownLoss, 0));
    }

    /// @inheritdoc IStaking
    function convicted(bytes32 faultId) external view returns (bool) {
        return _convicted[faultId];
    }

    /// @inheritdoc IStaking
    function isSlasher(address account) external view returns (bool) {
        return _slashers[account];
    }

    /// @dev Takes tokens out of both tranches and weighs the node anew. It is settled.
    /// @return wiped What is left of tranches that became worthless; it is to be burned too.
    function _lose(uint32 id, Node storage node, uint256 ownLoss, uint256 votesLoss) private returns (uint256 wiped) {
        node.own.tokens = SafeCast.toUint96(node.own.tokens - ownLoss);
        node.votes.tokens = SafeCast.toUint96(node.votes.tokens - votesLoss);
        if (node.own.isWorthless()) {
            // It has one holder, so that what it had earned can be put aside at once.
            uint256 owed = _positions[id][node.own.generation][address(0)].collect(node.own.rewardPerShare);
            node.commissionOwed = SafeCast.toUint96(node.commissionOwed + owed);
            wiped += _wipe(id, Tranche.Own, node.own);
        }
        if (node.votes.isWorthless()) {
            _wipedRewardPerShare[id][node.votes.generation] = node.votes.rewardPerShare;
            wiped += _wipe(id, Tranche.Votes, node.votes);
        }
        _lowerFloor(node);
        _weigh(id, node);
    }

    /// @dev Starts a tranche anew. Positions and buckets of the old generation are worth nothing any more.
    function _wipe(uint32 id, Tranche which, TrancheState storage tranche) private returns (uint256 rest) {
        rest = tranche.tokens;
        emit Wiped(id, which, tranche.generation, rest);
        ++tranche.generation;
        tranche.tokens = 0;
        tranche.active = 0;
        tranche.shares = 0;
        tranche.rewardPerShare = 0;
    }

    function _burn(uint256 amount) private {
        if (amount > 0) TOKEN.burn(amount);
    }

    function _jailedUntil(Node storage node) private view returns (uint40) {
        return SafeCast.toUint40(Math.max(node.jailedUntil, block.timestamp + JAIL));
    }

    function _requireSlasher() private view {
        if (!_slashers[msg.sender]) revert NotSlasher(msg.sender);
    }
}

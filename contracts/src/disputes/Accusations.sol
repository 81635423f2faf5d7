// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {Assignment, Outcome, Phase, Round, SignedAssignment, SignedReceipt} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {NodeView, Role} from "../interfaces/StakingTypes.sol";
import {Dispute, FaultState} from "./DisputesState.sol";
import {Proofs} from "./Proofs.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Accusations: opening a dispute, and appealing.
abstract contract Accusations is Proofs {
    using SafeERC20 for CuckooToken;

    /// @dev The first time and one more.
    uint256 private constant OPENINGS = 2;

    /// @inheritdoc IDisputes
    function open(SignedAssignment calldata assignment, SignedReceipt calldata receipt)
        external
        nonReentrant
        returns (uint256 id)
    {
        Assignment calldata a = assignment.assignment;
        bytes32 assignmentHash = _checkAssignment(assignment);
        _checkReceipt(a, assignmentHash, receipt);
        NodeView memory coordinator = _nodeIn(a.coordinatorNode, Role.Coordinator);
        NodeView memory miner = _nodeIn(a.minerNode, Role.Miner);
        uint256 until = a.deadline + COORDINATOR_ALONE;
        if (block.timestamp <= until && msg.sender != coordinator.operator && msg.sender != coordinator.owner) {
            revert CoordinatorAlone(until);
        }
        bytes32 faultId = _faultId(coordinator.id, miner.id, assignmentHash);
        if (STAKING.convicted(faultId)) revert AlreadyConvicted(faultId);

        id = ++_lastDispute;
        uint256 bond = _countOpening(faultId, id, until);
        Dispute storage dispute = _disputes[id];
        dispute.accuser = msg.sender;
        dispute.coordinator = coordinator.id;
        dispute.miner = miner.id;
        dispute.minerOwner = miner.owner;
        dispute.coordinatorOwner = coordinator.owner;
        dispute.bond = SafeCast.toUint96(bond);
        dispute.faultId = faultId;
        emit Opened(id, miner.id, coordinator.id, msg.sender, faultId, bond);
        emit Evidence(id, assignmentHash, a, receipt.receipt);
        _startRound(id, dispute, SEATS);
        TOKEN.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @inheritdoc IDisputes
    function appeal(uint256 id) external nonReentrant {
        (Dispute storage dispute,, Round storage round) = _during(id, Phase.Appeal);
        if (_judgement(round) == Outcome.Convicted) {
            NodeView memory miner = STAKING.nodeOf(dispute.miner);
            if (msg.sender != miner.owner && msg.sender != miner.operator) revert NotLoser(msg.sender);
            dispute.accusedAppealed = true;
        } else if (msg.sender != dispute.accuser) {
            revert NotLoser(msg.sender);
        }
        uint256 bond = _bondFor(_appealSeats());
        dispute.appellant = msg.sender;
        dispute.appealBond = SafeCast.toUint96(bond);
        emit Appealed(id, msg.sender, bond);
        _startRound(id, dispute, _appealSeats());
        TOKEN.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @dev Counts an opening over a fault. The coordinator can not use up both in the time in which it is alone: it could
    /// have no jury told the parameters, and save its miner from everybody else by two draws that cost nothing.
    /// @param until The end of that time, unix seconds.
    /// @return bond What it costs.
    function _countOpening(bytes32 faultId, uint256 id, uint256 until) private returns (uint256 bond) {
        FaultState storage fault = _faults[faultId];
        if (fault.running != 0) revert DisputeRunning(fault.running);
        uint256 opened = fault.opened;
        if (opened == OPENINGS) revert ReopenedAlready(faultId);
        if (opened > 0 && block.timestamp <= until) revert CoordinatorAlone(until);
        fault.opened = SafeCast.toUint8(opened + 1);
        fault.running = SafeCast.toUint64(id);
        return _openingBond(opened);
    }

    /// @dev Starts the next round with the weights of the jury epoch that closed last.
    function _startRound(uint256 id, Dispute storage dispute, uint16 seats) private {
        uint256 index = dispute.rounds;
        ++dispute.rounds;
        uint256 epoch = STAKING.juryEpochNow() - 1;
        uint256 weight = STAKING.roleWeightAt(Role.Miner, epoch) - _partiesWeight(dispute, epoch);
        uint256 ticket = RANDOMNESS.ticket();
        Round storage round = _rounds[id][index];
        round.startedAt = SafeCast.toUint40(block.timestamp);
        round.epoch = SafeCast.toUint32(epoch);
        round.weight = SafeCast.toUint32(weight);
        round.seats = seats;
        round.ticket = ticket;
        emit RoundStarted(id, index, epoch, weight, seats, ticket);
    }

    /// @dev What the parties' owners could judge with, each counted once.
    function _partiesWeight(Dispute storage dispute, uint256 epoch) private view returns (uint256 weight) {
        address accuser = dispute.accuser;
        address first = dispute.minerOwner;
        address second = dispute.coordinatorOwner;
        weight = STAKING.ownerWeightAt(first, Role.Miner, epoch);
        if (second != first) weight += STAKING.ownerWeightAt(second, Role.Miner, epoch);
        if (accuser != first && accuser != second) weight += STAKING.ownerWeightAt(accuser, Role.Miner, epoch);
    }
}

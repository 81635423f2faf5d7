// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputeParameters, DisputeView, Juror, Round} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {Dispute, DisputesState} from "./DisputesState.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Reads: where each dispute stands.
abstract contract DisputeReads is DisputesState {
    /// @inheritdoc IDisputes
    function disputeCount() external view returns (uint256) {
        return _lastDispute;
    }

    /// @inheritdoc IDisputes
    function disputeOf(uint256 id) external view returns (DisputeView memory row) {
        Dispute storage dispute = _existing(id);
        row.faultId = dispute.faultId;
        row.coordinator = dispute.coordinator;
        row.miner = dispute.miner;
        row.accuser = dispute.accuser;
        row.bond = dispute.bond;
        row.appellant = dispute.appellant;
        row.appealBond = dispute.appealBond;
        row.rounds = dispute.rounds;
        (row.phase, row.phaseEnds) = _phase(dispute, _rounds[id][row.rounds - 1]);
        row.outcome = dispute.outcome;
        row.feePerSeat = dispute.feePerSeat;
    }

    /// @inheritdoc IDisputes
    function roundOf(uint256 id, uint256 index) external view returns (Round memory) {
        return _rounds[id][index];
    }

    /// @inheritdoc IDisputes
    function jurorOf(uint256 id, uint256 index, uint32 node) external view returns (Juror memory) {
        return _jurors[id][index][node];
    }

    /// @inheritdoc IDisputes
    function bondOf(bytes32 faultId) external view returns (uint256) {
        return _openingBond(_faults[faultId].opened);
    }

    /// @inheritdoc IDisputes
    function appealBond() external view returns (uint256) {
        return _bondFor(_appealSeats());
    }

    /// @inheritdoc IDisputes
    function owedTo(address account) external view returns (uint256) {
        return _owed[account];
    }

    /// @inheritdoc IDisputes
    function disputeParameters() external view returns (DisputeParameters memory) {
        return DisputeParameters({
            coordinatorAlone: SafeCast.toUint32(COORDINATOR_ALONE), seats: SEATS, quorum: QUORUM, fee: FEE
        });
    }

    /// @inheritdoc IDisputes
    function staking() external view returns (IStaking) {
        return STAKING;
    }

    /// @inheritdoc IDisputes
    function randomness() external view returns (IRandomness) {
        return RANDOMNESS;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Juror, Phase, Round, Verdict} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {NodeView, Role} from "../interfaces/StakingTypes.sol";
import {Accusations} from "./Accusations.sol";
import {Dispute} from "./DisputesState.sol";
import {Lottery} from "./Lottery.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Jury: who sits in it, and what it says.
abstract contract Jury is Accusations {
    /// @inheritdoc IDisputes
    function drawSeed(uint256 id) external nonReentrant {
        (, uint256 index, Round storage round) = _during(id, Phase.Claim);
        if (round.seed != bytes32(0)) revert SeedTaken(round.seed);
        uint256 ticket = round.ticket;
        (bytes32 seed, bool lost) = RANDOMNESS.seedOf(ticket);
        if (lost) {
            round.ticket = RANDOMNESS.ticket();
            emit SeedLost(id, index, ticket);
        } else {
            _takeSeed(id, index, round, seed);
        }
    }

    /// @inheritdoc IDisputes
    function claimSeats(uint256 id, uint32 node) external nonReentrant returns (uint256 seats) {
        (Dispute storage dispute, uint256 index, Round storage round) = _during(id, Phase.Claim);
        NodeView memory row = _nodeIn(node, Role.Miner);
        if (msg.sender != row.operator) revert NotOperator(node, msg.sender);
        if (_isParty(dispute, row.owner)) revert JurorIsParty(node);
        if (row.weight == 0) revert JurorIneligible(node);
        Juror storage juror = _jurors[id][index][node];
        if (juror.seats != 0) revert SeatsTaken(node);
        bytes32 seed = round.seed;
        if (seed == bytes32(0)) {
            // slither-disable-next-line unused-return -- a lost seed is zero too, and refused as such
            (seed,) = RANDOMNESS.seedOf(round.ticket);
            _takeSeed(id, index, round, seed);
        }
        seats = _draw(id, index, round, node, seed);
        if (seats == 0) revert SeatsZero(node);
        juror.seats = SafeCast.toUint32(seats);
        round.claimed = SafeCast.toUint32(round.claimed + seats);
        emit SeatsClaimed(id, index, node, seats);
    }

    /// @inheritdoc IDisputes
    function commit(uint256 id, uint32 node, bytes32 commitment) external {
        (, uint256 index,) = _during(id, Phase.Commit);
        (uint32 ofNode, uint40 replacedAt) = STAKING.operatorOf(msg.sender);
        if (ofNode != node || replacedAt != 0) revert NotOperator(node, msg.sender);
        if (commitment == bytes32(0)) revert CommitmentZero();
        Juror storage juror = _jurors[id][index][node];
        if (juror.seats == 0) revert JurorUnknown(node);
        if (juror.commitment != bytes32(0)) revert CommitmentTaken(node);
        juror.commitment = commitment;
        emit Committed(id, index, node, commitment);
    }

    /// @inheritdoc IDisputes
    function reveal(uint256 id, uint32 node, Verdict verdict, bytes32 digest, bytes32 salt) external {
        (, uint256 index, Round storage round) = _during(id, Phase.Reveal);
        if (verdict == Verdict.None) revert VerdictNone();
        Juror storage juror = _jurors[id][index][node];
        bytes32 required = juror.commitment;
        bytes32 actual = _commitment(id, index, node, verdict, digest, salt);
        if (actual != required) revert CommitmentMismatch(required, actual);
        // Nobody finds another opening, so that a second reveal would be the same one.
        if (juror.verdict != Verdict.None) revert CommitmentTaken(node);
        juror.verdict = verdict;
        uint32 seats = juror.seats;
        if (verdict == Verdict.Guilty) round.guilty += seats;
        else if (verdict == Verdict.NotGuilty) round.notGuilty += seats;
        else round.abstained += seats;
        emit Revealed(id, index, node, verdict, digest);
    }

    /// @inheritdoc IDisputes
    function commitmentOf(uint256 id, uint256 index, uint32 node, Verdict verdict, bytes32 digest, bytes32 salt)
        external
        pure
        returns (bytes32)
    {
        return _commitment(id, index, node, verdict, digest, salt);
    }

    /// @inheritdoc IDisputes
    function seatsOf(uint256 id, uint32 node) external view returns (uint256) {
        Dispute storage dispute = _existing(id);
        uint256 index = dispute.rounds - 1;
        Round storage round = _rounds[id][index];
        NodeView memory row = STAKING.nodeOf(node);
        bool seatable = row.role == Role.Miner && row.weight > 0 && !_isParty(dispute, row.owner);
        if (!seatable || round.seed == bytes32(0)) return 0;
        return _draw(id, index, round, node, round.seed);
    }

    function _takeSeed(uint256 id, uint256 index, Round storage round, bytes32 seed) private {
        if (seed == bytes32(0)) revert SeedUnknown(round.ticket);
        round.seed = seed;
        emit SeedDrawn(id, index, seed);
    }

    /// @dev The seats of a node that is not ruled out. A total above zero is what made the phase `Claim`.
    function _draw(uint256 id, uint256 index, Round storage round, uint32 node, bytes32 seed)
        private
        view
        returns (uint256)
    {
        uint256 weight = STAKING.nodeWeightAt(node, round.epoch);
        return Lottery.seats(seed, id, index, node, round.seats, weight, round.weight);
    }

    /// @dev Whoever owned a party's node when the dispute was opened, and whoever owns it now.
    function _isParty(Dispute storage dispute, address owner) private view returns (bool) {
        return owner == dispute.accuser || owner == dispute.minerOwner || owner == dispute.coordinatorOwner
            || _owns(owner, dispute.miner) || _owns(owner, dispute.coordinator);
    }

    function _owns(address owner, uint32 node) private view returns (bool) {
        // slither-disable-next-line unused-return -- its role is known
        (address present,) = STAKING.ownerOf(node);
        return owner == present;
    }

    function _commitment(uint256 id, uint256 index, uint32 node, Verdict verdict, bytes32 digest, bytes32 salt)
        private
        pure
        returns (bytes32)
    {
        // forge-lint: disable-next-line(asm-keccak256)
        return keccak256(abi.encode(id, index, node, verdict, digest, salt));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {DisputeParameters, Juror, Outcome, Phase, Round} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {NodeView, Parameters, Role} from "../interfaces/StakingTypes.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @notice A dispute as it is stored. Every line is one slot.
/// @param minerOwner The owner of the accused when it was opened: no juror.
/// @param coordinatorOwner The owner of the coordinator when it was opened: no juror.
/// @param accusedAppealed Whether the appellant is on the side of the accused.
/// @param feePerSeat What each coherent seat gets, in wei.
struct Dispute {
    address accuser;
    uint32 coordinator;
    uint32 miner;
    uint8 rounds;
    Outcome outcome;
    bool accusedAppealed;
    // -
    address minerOwner;
    uint96 bond;
    // -
    address coordinatorOwner;
    uint96 feePerSeat;
    // -
    address appellant;
    uint96 appealBond;
    // -
    bytes32 faultId;
}

/// @notice What was tried about one fault.
/// @param running The dispute over it that has not ended; zero if none.
/// @param opened How often one was opened.
struct FaultState {
    uint64 running;
    uint8 opened;
}

/// @title All storage of Disputes, its parameters, and where a dispute stands.
abstract contract DisputesState is IDisputes, ReentrancyGuardTransient {
    /// @dev The chain id of a local development chain, the only one on which periods may be short.
    uint256 private constant DEVNET = 31_337;

    uint256 private constant MOST_SEATS = 1001;
    uint256 private constant HIGHEST_FEE = 1000 ether;

    /// @dev A bond is this many times what the expected seats cost.
    uint256 private constant BOND_MULTIPLE = 2;

    IStaking internal immutable STAKING;
    IRandomness internal immutable RANDOMNESS;
    CuckooToken internal immutable TOKEN;
    uint256 internal immutable REPORT_WINDOW;
    uint256 internal immutable LONGEST_DEADLINE;
    uint256 internal immutable COORDINATOR_ALONE;
    uint16 internal immutable SEATS;
    uint16 internal immutable QUORUM;
    uint96 internal immutable FEE;
    uint256 private immutable CLAIM_ENDS;
    uint256 private immutable COMMIT_ENDS;
    uint256 private immutable REVEAL_ENDS;
    uint256 private immutable APPEAL_ENDS;

    mapping(uint256 id => Dispute dispute) internal _disputes;
    mapping(uint256 id => mapping(uint256 index => Round round)) internal _rounds;
    mapping(uint256 id => mapping(uint256 index => mapping(uint32 node => Juror juror))) internal _jurors;
    mapping(bytes32 faultId => FaultState state) internal _faults;
    mapping(address account => uint256 amount) internal _owed;
    uint64 internal _lastDispute;

    constructor(IStaking staking_, IRandomness randomness_, DisputeParameters memory p) {
        if (!staking_.isSlasher(address(this))) revert NotSlasher();
        Parameters memory network = staking_.parameters();
        _within("coordinatorAlone", p.coordinatorAlone, block.chainid == DEVNET ? 1 : 1 hours, network.reportWindow);
        _within("seats", p.seats, 1, MOST_SEATS);
        _within("quorum", p.quorum, 1, p.seats);
        _within("fee", p.fee, 1, HIGHEST_FEE);
        STAKING = staking_;
        RANDOMNESS = randomness_;
        TOKEN = staking_.token();
        REPORT_WINDOW = network.reportWindow;
        LONGEST_DEADLINE = network.longestDeadline;
        COORDINATOR_ALONE = p.coordinatorAlone;
        SEATS = p.seats;
        QUORUM = p.quorum;
        FEE = p.fee;
        CLAIM_ENDS = network.claim;
        COMMIT_ENDS = CLAIM_ENDS + network.commit;
        REVEAL_ENDS = COMMIT_ENDS + network.reveal;
        APPEAL_ENDS = REVEAL_ENDS + network.appeal;
    }

    /// @dev The dispute, if there is one.
    function _existing(uint256 id) internal view returns (Dispute storage dispute) {
        dispute = _disputes[id];
        if (dispute.rounds == 0) revert DisputeUnknown(id);
    }

    /// @dev The dispute and its running round, if it is in a phase.
    function _during(uint256 id, Phase required)
        internal
        view
        returns (Dispute storage dispute, uint256 index, Round storage round)
    {
        dispute = _existing(id);
        index = dispute.rounds - 1;
        round = _rounds[id][index];
        (Phase actual,) = _phase(dispute, round);
        if (actual != required) revert PhaseWrong(required, actual);
    }

    /// @dev What can be done in a dispute, and until when (zero: without end).
    function _phase(Dispute storage dispute, Round storage round) internal view returns (Phase, uint256 ends) {
        if (dispute.outcome != Outcome.None) return (Phase.Ended, 0);
        if (round.weight == 0) return (Phase.Execute, 0);
        uint256 startedAt = round.startedAt;
        ends = startedAt + CLAIM_ENDS;
        if (block.timestamp < ends) return (Phase.Claim, ends);
        ends = startedAt + COMMIT_ENDS;
        if (block.timestamp < ends) return (Phase.Commit, ends);
        ends = startedAt + REVEAL_ENDS;
        if (block.timestamp < ends) return (Phase.Reveal, ends);
        ends = startedAt + APPEAL_ENDS;
        bool appealable = dispute.rounds == 1 && _judgement(round) != Outcome.Drawn;
        if (appealable && block.timestamp < ends) return (Phase.Appeal, ends);
        return (Phase.Execute, 0);
    }

    /// @dev What a round that is over says.
    function _judgement(Round storage round) internal view returns (Outcome) {
        uint256 guilty = round.guilty;
        uint256 notGuilty = round.notGuilty;
        uint256 spoken = guilty + notGuilty + round.abstained;
        if (spoken < QUORUM || 2 * spoken <= round.claimed || guilty == notGuilty) return Outcome.Drawn;
        return guilty > notGuilty ? Outcome.Convicted : Outcome.Acquitted;
    }

    /// @dev Expected seats of an appeal.
    function _appealSeats() internal view returns (uint16) {
        return 2 * SEATS + 1;
    }

    /// @dev The bond for a jury of so many expected seats.
    function _bondFor(uint256 seats) internal view returns (uint256) {
        return BOND_MULTIPLE * seats * FEE;
    }

    /// @dev The bond for opening a dispute over a fault that was opened so often.
    function _openingBond(uint256 opened) internal view returns (uint256) {
        return _bondFor(SEATS) * (opened == 0 ? 1 : 2);
    }

    /// @dev The node, if it has a role.
    function _nodeIn(uint32 node, Role role) internal view returns (NodeView memory row) {
        row = STAKING.nodeOf(node);
        if (row.role != role) revert RoleWrong(node, role);
    }

    function _within(string memory name, uint256 actual, uint256 low, uint256 high) private pure {
        if (actual < low || actual > high) revert ParameterOutOfBounds(name, low, high, actual);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {Juror, Outcome, Phase, Round, Verdict} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {Fault} from "../interfaces/StakingTypes.sol";
import {Dispute} from "./DisputesState.sol";
import {Jury} from "./Jury.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Judgement: how a dispute ends, and who pays whom.
/// @notice Every wei of a bond goes back, to a coherent juror, or up in smoke.
abstract contract Judgement is Jury {
    using SafeERC20 for CuckooToken;

    /// @dev A silent or incoherent seat loses this many fees.
    uint256 private constant PENALTY_FEES = 2;

    /// @inheritdoc IDisputes
    function execute(uint256 id) external nonReentrant {
        (Dispute storage dispute,, Round storage round) = _during(id, Phase.Execute);
        Outcome outcome = _judgement(round);
        dispute.outcome = outcome;
        _faults[dispute.faultId].running = 0;
        if (outcome == Outcome.Convicted) {
            _convict(id, dispute);
        } else if (outcome == Outcome.Acquitted) {
            _acquit(id, dispute);
        } else {
            _credit(id, dispute.accuser, dispute.bond);
            _credit(id, dispute.appellant, dispute.appealBond);
            emit Executed(id, dispute.faultId, outcome, 0, 0, 0, 0);
        }
    }

    /// @inheritdoc IDisputes
    function settleJuror(uint256 id, uint256 index, uint32 node) external nonReentrant {
        Dispute storage dispute = _existing(id);
        Outcome outcome = dispute.outcome;
        if (outcome == Outcome.None) {
            (Phase actual,) = _phase(dispute, _rounds[id][dispute.rounds - 1]);
            revert PhaseWrong(Phase.Ended, actual);
        }
        Juror storage juror = _jurors[id][index][node];
        uint256 seats = juror.seats;
        if (seats == 0) revert JurorUnknown(node);
        if (juror.settled) revert JurorSettled(node);
        juror.settled = true;
        Verdict verdict = juror.verdict;
        if (verdict != Verdict.None && (verdict == Verdict.Abstain || outcome == Outcome.Drawn)) return;
        if (verdict == _coherentWith(outcome)) {
            uint256 amount = seats * dispute.feePerSeat;
            address payee = STAKING.payeeOf(node);
            emit JurorPaid(id, index, node, payee, amount);
            TOKEN.safeTransfer(payee, amount);
        } else {
            uint256 burned = STAKING.penalise(node, PENALTY_FEES * seats * FEE);
            emit JurorPenalised(id, index, node, burned);
        }
    }

    /// @inheritdoc IDisputes
    function withdraw() external nonReentrant returns (uint256 amount) {
        amount = _owed[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        _owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @dev Jurors are paid from the accused's appeal bond, else from half of what its owner loses, else by the accuser.
    function _convict(uint256 id, Dispute storage dispute) private {
        uint256 seats = _coherentSeats(id, dispute, Outcome.Convicted);
        (uint256 winners, uint256 losers) = _accuserFirst(dispute);
        uint256 due = seats * FEE;
        uint256 fromLoser = Math.min(due, losers);
        // slither-disable-next-line reentrancy-benign -- what is paid depends on it, and Staking calls nobody back
        (uint256 ownLoss, uint256 votesLoss, uint256 fromStake) =
            STAKING.slash(dispute.miner, Fault.Judged, dispute.faultId, due - fromLoser);
        uint256 fromWinner = Math.min(due - fromLoser - fromStake, winners);
        _credit(id, dispute.accuser, winners - fromWinner);
        uint256 pot = fromLoser + fromStake + fromWinner;
        uint256 burned = losers - fromLoser + _share(dispute, pot, seats);
        emit Executed(id, dispute.faultId, Outcome.Convicted, ownLoss, votesLoss, dispute.feePerSeat, burned);
        _burn(burned);
    }

    /// @dev Jurors are paid from the accuser's bonds.
    function _acquit(uint256 id, Dispute storage dispute) private {
        uint256 seats = _coherentSeats(id, dispute, Outcome.Acquitted);
        (uint256 losers, uint256 winners) = _accuserFirst(dispute);
        uint256 pot = Math.min(seats * FEE, losers);
        _credit(id, dispute.appellant, winners);
        uint256 burned = losers - pot + _share(dispute, pot, seats);
        emit Executed(id, dispute.faultId, Outcome.Acquitted, 0, 0, dispute.feePerSeat, burned);
        _burn(burned);
    }

    /// @dev Divides a pot among seats.
    /// @return rest What can not be divided.
    function _share(Dispute storage dispute, uint256 pot, uint256 seats) private returns (uint256 rest) {
        dispute.feePerSeat = SafeCast.toUint96(pot / seats);
        return pot % seats;
    }

    function _credit(uint256 id, address account, uint256 amount) private {
        if (amount == 0) return;
        _owed[account] += amount;
        emit Credited(id, account, amount);
    }

    function _burn(uint256 amount) private {
        if (amount > 0) TOKEN.burn(amount);
    }

    /// @dev The bonds of the accuser's side and of the accused's.
    function _accuserFirst(Dispute storage dispute) private view returns (uint256 accusers, uint256 accuseds) {
        accusers = dispute.bond;
        if (dispute.accusedAppealed) accuseds = dispute.appealBond;
        else accusers += dispute.appealBond;
    }

    /// @dev The seats of all rounds that said what came out in the end. There are some, because they outvoted the others.
    function _coherentSeats(uint256 id, Dispute storage dispute, Outcome outcome) private view returns (uint256 seats) {
        uint256 rounds = dispute.rounds;
        for (uint256 i = 0; i < rounds; ++i) {
            Round storage round = _rounds[id][i];
            seats += outcome == Outcome.Convicted ? round.guilty : round.notGuilty;
        }
    }

    /// @dev The verdict that is paid; nobody said `None`, and silence in a drawn dispute is not paid either.
    function _coherentWith(Outcome outcome) private pure returns (Verdict) {
        return outcome == Outcome.Convicted ? Verdict.Guilty : Verdict.NotGuilty;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Messages} from "../../src/disputes/Messages.sol";
import {
    Assignment,
    DisputeView,
    Juror,
    Outcome,
    Phase,
    Receipt,
    Round,
    SignedAssignment,
    SignedReceipt,
    Verdict
} from "../../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../../src/interfaces/IDisputes.sol";
import {NodeView, Tranche} from "../../src/interfaces/StakingTypes.sol";
import {EscrowActions} from "./EscrowActions.sol";

/// @title Proofs, and one dispute after the other: each call takes the running one a step further.
abstract contract DisputeActions is EscrowActions {
    uint256 private constant CORE = 8;
    bytes32 private constant SALT = keccak256("salt");

    uint256 private _running;
    uint64 private _sequence;
    bool private _guiltyLikely;
    mapping(uint256 dispute => mapping(uint256 round => mapping(uint32 node => Verdict))) private _verdicts;
    mapping(uint256 dispute => mapping(uint256 round => mapping(uint32 node => bool))) private _silent;

    // ---------------------------------------------------------------------------------------------------- evidence

    function assignmentOf(uint32 coordinator, uint32 miner) private returns (Assignment memory a) {
        a.coordinatorNode = coordinator;
        a.minerNode = miner;
        a.attempt = 1;
        a.sequence = ++_sequence;
        a.deadline = uint64(sinceStart(time() - start));
        a.seedTip = keccak256("tip");
        a.drawIndex = _sequence;
        a.drawHead = keccak256("head");
    }

    function signatureOf(uint32 node, bytes32 structHash) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(keyOf[node], Messages.digest(address(staking), structHash));
        return abi.encodePacked(r, s, v);
    }

    function signed(Assignment memory a) private view returns (SignedAssignment memory) {
        return SignedAssignment({assignment: a, signature: signatureOf(a.coordinatorNode, Messages.hashAssignment(a))});
    }

    function receiptFor(Assignment memory a, bytes32 root) private view returns (SignedReceipt memory) {
        Receipt memory r;
        r.assignmentHash = Messages.hashAssignment(a);
        r.pictureHashes = new bytes32[](1);
        r.latentsRoot = root;
        return SignedReceipt({receipt: r, signature: signatureOf(a.minerNode, Messages.hashReceipt(r))});
    }

    /// @dev What an owner and who reports its node have, which may be the same person.
    function wealthOf(address owner, address reporter, uint32 node) private view returns (uint256 sum) {
        sum = token.balanceOf(owner) + staking.idleStake(owner) + staking.nodeOf(node).own.tokens;
        if (reporter != owner) sum += token.balanceOf(reporter);
    }

    function halfIsBurned(uint256 before, uint256 later, uint256 loss) private pure {
        VM.assertLe(later + loss - loss / 2, before);
    }

    // ------------------------------------------------------------------------------------------------------- proofs

    /// @dev Whoever reports, the owner itself included: half of the loss is nobody's any more.
    function proveReceipts(uint256 which, uint256 who) internal {
        uint32 miner = minerBy(which);
        Assignment memory a = assignmentOf(payers[which % 2], miner);
        SignedAssignment memory work = signed(a);
        SignedReceipt memory first = receiptFor(a, keccak256("one"));
        SignedReceipt memory second = receiptFor(a, keccak256("two"));
        address owner = ownerOf(miner);
        address reporter = who % 2 == 0 ? owner : actorBy(who / 2);
        NodeView memory before = staking.nodeOf(miner);
        uint256 wealth = wealthOf(owner, reporter, miner);
        VM.prank(reporter);
        disputes.proveReceiptEquivocation(work, first, second);
        slashedRight(before, before.own.tokens / 2, 0);
        halfIsBurned(wealth, wealthOf(owner, reporter, miner), before.own.tokens / 2);
        VM.expectPartialRevert(IDisputes.AlreadyConvicted.selector);
        disputes.proveReceiptEquivocation(work, first, second);
        done("proveReceiptEquivocation");
    }

    function proveHeads(uint256 which, uint256 who) internal {
        uint32 coordinator = payers[which % 2];
        Assignment memory a = assignmentOf(coordinator, minerBy(which));
        SignedAssignment memory first = signed(a);
        --_sequence;
        a = assignmentOf(coordinator, a.minerNode);
        a.drawHead = keccak256("another head");
        SignedAssignment memory second = signed(a);
        address owner = ownerOf(coordinator);
        address reporter = who % 2 == 0 ? owner : actorBy(who / 2);
        NodeView memory before = staking.nodeOf(coordinator);
        uint256 wealth = wealthOf(owner, reporter, coordinator);
        VM.prank(reporter);
        disputes.proveHeadEquivocation(first, second);
        slashedRight(before, before.own.tokens / 2, 0);
        halfIsBurned(wealth, wealthOf(owner, reporter, coordinator), before.own.tokens / 2);
        done("proveHeadEquivocation");
    }

    /// @dev A miner among the first eight nodes.
    function minerBy(uint256 seed) private view returns (uint32) {
        return everyNode[2 + (seed / 2) % (CORE - 2)];
    }

    // ------------------------------------------------------------------------------------------------- one dispute

    function advance(uint256 seed) internal {
        if (_running == 0) {
            open(seed);
            return;
        }
        DisputeView memory row = disputes.disputeOf(_running);
        if (row.phase == Phase.Claim) claimPhase(row, seed);
        else if (row.phase == Phase.Commit) commitPhase(row, seed);
        else if (row.phase == Phase.Reveal) revealPhase(row);
        else if (row.phase == Phase.Appeal) appealPhase(row, seed);
        else if (row.phase == Phase.Execute) execute(row);
        else close(row);
    }

    function open(uint256 seed) private {
        if (seed % 8 == 0) pass(4 days);
        for (uint256 i = 2; i < CORE; ++i) {
            repair(everyNode[i]);
        }
        source.set(1, keccak256(abi.encode(seed)));
        _guiltyLikely = seed % 2 == 0;
        uint32 coordinator = payers[seed % 2];
        Assignment memory a = assignmentOf(coordinator, minerBy(seed));
        SignedAssignment memory work = signed(a);
        SignedReceipt memory result = receiptFor(a, keccak256("latents"));
        VM.prank(ownerOf(coordinator));
        _running = disputes.open(work, result);
        done("open");
    }

    /// @dev Brings a miner back that lost its weight, so that there are jurors.
    function repair(uint32 node) private {
        NodeView memory row = staking.nodeOf(node);
        if (row.jailedUntil != 0 && time() >= row.jailedUntil) {
            VM.prank(row.owner);
            staking.unjail(node);
            done("unjail");
        }
        if (row.own.activeTokens < row.floor + 20_000 * CAI && staking.idleStake(row.owner) >= 50_000 * CAI) {
            voteAs(node, Tranche.Own, row.owner, 50_000 * CAI);
        }
        weighs(staking.nodeOf(node));
    }

    function claimPhase(DisputeView memory row, uint256 seed) private {
        Round memory round = disputes.roundOf(_running, row.rounds - 1);
        if (round.seed == bytes32(0)) {
            disputes.drawSeed(_running);
            done("drawSeed");
        }
        ineligibleIsNotSeated(row, everyNode[2 + seed % (CORE - 2)]);
        for (uint256 i = 2; i < CORE; ++i) {
            uint32 node = everyNode[i];
            if (seatOf(row, node).seats == 0 && disputes.seatsOf(_running, node) > 0) {
                VM.prank(VM.addr(keyOf[node]));
                disputes.claimSeats(_running, node);
                VM.assertGt(staking.nodeOf(node).weight, 0);
                done("claimSeats");
                return;
            }
        }
        VM.warp(row.phaseEnds);
    }

    function ineligibleIsNotSeated(DisputeView memory row, uint32 node) private {
        if (staking.nodeOf(node).weight > 0 || seatOf(row, node).seats > 0) return;
        VM.assertEq(disputes.seatsOf(_running, node), 0);
        VM.prank(VM.addr(keyOf[node]));
        try disputes.claimSeats(_running, node) returns (uint256) {
            VM.assertTrue(false);
        } catch (bytes memory reason) {
            // forge-lint: disable-next-line(unsafe-typecast)
            bytes4 why = bytes4(reason); // the selector
            VM.assertTrue(why == IDisputes.JurorIneligible.selector || why == IDisputes.JurorIsParty.selector);
        }
    }

    function seatOf(DisputeView memory row, uint32 node) private view returns (Juror memory) {
        return disputes.jurorOf(_running, row.rounds - 1, node);
    }

    function commitPhase(DisputeView memory row, uint256 seed) private {
        uint256 index = row.rounds - 1;
        for (uint256 i = 2; i < CORE; ++i) {
            uint32 node = everyNode[i];
            Juror memory juror = seatOf(row, node);
            if (juror.seats == 0 || juror.commitment != bytes32(0) || _silent[_running][index][node]) continue;
            uint256 luck = uint256(keccak256(abi.encode(seed, node))) % 20;
            if (luck == 0) {
                _silent[_running][index][node] = true;
                return;
            }
            Verdict verdict = _guiltyLikely ? Verdict.Guilty : Verdict.NotGuilty;
            if (luck == 1) verdict = Verdict.Abstain;
            if (luck < 5 && luck > 1) verdict = _guiltyLikely ? Verdict.NotGuilty : Verdict.Guilty;
            _verdicts[_running][index][node] = verdict;
            bytes32 commitment = disputes.commitmentOf(_running, index, node, verdict, bytes32(seed), SALT);
            _digests[commitment] = bytes32(seed);
            VM.prank(VM.addr(keyOf[node]));
            disputes.commit(_running, node, commitment);
            done("commit");
            return;
        }
        VM.warp(row.phaseEnds);
    }

    mapping(bytes32 commitment => bytes32 digest) private _digests;

    function revealPhase(DisputeView memory row) private {
        uint256 index = row.rounds - 1;
        for (uint256 i = 2; i < CORE; ++i) {
            uint32 node = everyNode[i];
            Juror memory juror = seatOf(row, node);
            if (juror.commitment == bytes32(0) || juror.verdict != Verdict.None) continue;
            disputes.reveal(_running, node, _verdicts[_running][index][node], _digests[juror.commitment], SALT);
            done("reveal");
            return;
        }
        VM.warp(row.phaseEnds);
    }

    function appealPhase(DisputeView memory row, uint256 seed) private {
        if (seed % 8 == 0) {
            VM.warp(row.phaseEnds);
            return;
        }
        Round memory round = disputes.roundOf(_running, 0);
        VM.prank(round.guilty > round.notGuilty ? ownerOf(row.miner) : row.accuser);
        disputes.appeal(_running);
        done("appeal");
    }

    /// @dev What was held is held, paid out or burned, to the wei.
    function execute(DisputeView memory row) private {
        uint256 held = token.balanceOf(address(disputes)) + token.balanceOf(address(staking));
        uint256 supply = token.totalSupply();
        NodeView memory before = staking.nodeOf(row.miner);
        disputes.execute(_running);
        uint256 burned = supply - token.totalSupply();
        VM.assertEq(held, token.balanceOf(address(disputes)) + token.balanceOf(address(staking)) + burned);
        Outcome outcome = disputes.disputeOf(_running).outcome;
        VM.assertTrue(staking.convicted(row.faultId) == (outcome == Outcome.Convicted));
        if (outcome == Outcome.Convicted) {
            (uint256 own, uint256 votes) = lossOf(before, false, mayLose(row.miner));
            slashedRight(before, own, votes);
            done("convict");
        } else {
            weighs(staking.nodeOf(row.miner));
            done(outcome == Outcome.Acquitted ? "acquit" : "end without a verdict");
        }
    }

    /// @dev Pays and punishes one juror after the other, then the parties; nothing stays behind.
    function close(DisputeView memory row) private {
        for (uint256 index = 0; index < row.rounds; ++index) {
            for (uint256 i = 2; i < CORE; ++i) {
                uint32 node = everyNode[i];
                Juror memory juror = disputes.jurorOf(_running, index, node);
                if (juror.seats == 0 || juror.settled) continue;
                disputes.settleJuror(_running, index, node);
                weighs(staking.nodeOf(node));
                done("settleJuror");
                return;
            }
        }
        address[2] memory parties = [row.accuser, row.appellant];
        for (uint256 i = 0; i < 2; ++i) {
            if (disputes.owedTo(parties[i]) == 0) continue;
            VM.prank(parties[i]);
            disputes.withdraw();
            done("withdraw");
        }
        VM.assertEq(token.balanceOf(address(disputes)), 0);
        VM.assertTrue(row.outcome != Outcome.None);
        _running = 0;
    }
}

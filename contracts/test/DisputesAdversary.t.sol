// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Staking} from "../src/Staking.sol";
import {Assignment, Outcome, SignedAssignment, SignedReceipt, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Tranche} from "../src/interfaces/StakingTypes.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev What parties and jurors may try who want more than their due.
contract DisputesAdversaryTest is DisputesFixture {
    address private constant ACCOMPLICE = address(0xACC);

    // ------------------------------------------------------------------------------------- openings that save a miner

    function test_coordinator__draws_twice_in_its_own_time__others_may_still_open() public {
        Assignment memory a = assignment();
        a.deadline += 60;
        uint256 id = openAs(OTHER, a);
        pass(40);
        disputes.execute(id);
        VM.assertEq(uint256(disputes.disputeOf(id).outcome), uint256(Outcome.Drawn));
        bytes memory reason = abi.encodeWithSelector(IDisputes.CoordinatorAlone.selector, uint256(a.deadline) + 30);
        openRefused(OTHER, a, reason);
        VM.warp(a.deadline + 30);
        openRefused(OTHER, a, reason);
        VM.warp(a.deadline + 31);
        id = openAs(VOTER2, a);
        VM.assertEq(disputes.disputeOf(id).accuser, VOTER2);
    }

    // ---------------------------------------------------------------------------------------------- nodes that change hands

    function seatRefused(uint256 id, uint256 i) private {
        VM.assertEq(disputes.seatsOf(id, jurors[i]), 0);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.JurorIsParty.selector, jurors[i]));
        claimSeats(id, i);
    }

    function test_juror__bought_the_accused__can_not_judge_it() public {
        uint256 id = opened();
        disputes.drawSeed(id);
        VM.assertEq(disputes.seatsOf(id, jurors[2]), 7);
        moveNode(miner, OWNER, VOTER2);
        seatRefused(id, 2);
        // Whoever sold it is a party still.
        moveNode(jurors[0], VOTER, OWNER);
        seatRefused(id, 0);
    }

    function test_juror__bought_the_coordinator__can_not_judge_for_it() public {
        uint256 id = opened();
        disputes.drawSeed(id);
        moveNode(coordinator, OTHER, VOTER2);
        seatRefused(id, 2);
    }

    function test_appellant__bought_the_accused__can_not_judge_the_appeal() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        moveNode(miner, OWNER, VOTER2);
        appealAs(VOTER2, id);
        disputes.drawSeed(id);
        seatRefused(id, 2);
    }

    function test_juror__sold_after_its_verdict__its_new_owner_is_paid_or_punished() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.NotGuilty);
        moveNode(jurors[0], VOTER, ACCOMPLICE);
        moveNode(jurors[2], VOTER2, ACCOMPLICE);
        end(id);
        settleAll(id, 0);
        VM.assertEq(inWallet(ACCOMPLICE), 7 * FEE);
        VM.assertEq(ownOf(jurors[2]), 100_000 * CAI - 14 * FEE);
    }

    // -------------------------------------------------------------------------------------------------- stake that leaves

    /// @dev The worst case that the unbonding time is made for: stake leaves in the second in which the work begins, the
    /// report comes in the last second of its window, and the loser appeals.
    function test_unbonding__stake_that_left_when_the_work_began__is_slashed_after_the_longest_dispute() public {
        voteFor(miner, VOTER, 100_000 * CAI);
        Assignment memory a = assignment();
        a.deadline += 60;
        uint256 began = time();
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(a);
        uint256 bucket = unvoteFrom(miner, Tranche.Own, OWNER, 20_000 * CAI);
        unvoteFrom(miner, Tranche.Votes, VOTER, 100_000 * CAI);
        VM.warp(a.deadline + 60);
        VM.prank(OTHER);
        uint256 id = disputes.open(work, result);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        pass(9);
        appealAs(OWNER, id);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        VM.assertLe(time(), began + 210);
        VM.expectPartialRevert(IStaking.BucketNotReached.selector);
        staking.release(miner, Tranche.Own, OWNER, bucket);
        disputes.execute(id);
        VM.warp(bucket * 10);
        VM.assertEq(staking.release(miner, Tranche.Own, OWNER, bucket), 19_000 * CAI);
        VM.assertEq(staking.release(miner, Tranche.Votes, VOTER, bucket), 95_000 * CAI);
    }

    function test_unbonding__of_a_juror_that_stays_silent__pays_the_penalty() public {
        uint256 id = opened();
        claimSeats(id, 2);
        uint256 bucket = unvoteFrom(jurors[2], Tranche.Own, VOTER2, 100_000 * CAI);
        pass(40);
        disputes.execute(id);
        disputes.settleJuror(id, 0, jurors[2]);
        VM.warp(bucket * 10);
        VM.assertEq(staking.release(jurors[2], Tranche.Own, VOTER2, bucket), 100_000 * CAI - 14 * FEE);
    }

    // ------------------------------------------------------------------------------------------------ evidence from elsewhere

    function test_evidence__signed_for_another_network__refused() public {
        Staking ours = staking;
        staking = new Staking(token, GOVERNOR, devnet(), new address[](0));
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(assignment());
        staking = ours;
        VM.expectPartialRevert(IDisputes.SignatureInvalid.selector);
        VM.prank(OTHER);
        disputes.open(work, result);
        VM.expectPartialRevert(IDisputes.SignatureInvalid.selector);
        disputes.proveReceiptEquivocation(work, result, result);
        VM.expectPartialRevert(IDisputes.SignatureInvalid.selector);
        disputes.proveHeadEquivocation(work, anotherHead(assignment()));
    }

    function test_evidence__malleable_signature__refused() public {
        SignedAssignment memory work = signed(COORDINATOR_KEY, assignment());
        SignedAssignment memory second = anotherHead(assignment());
        bytes memory sig = second.signature;
        uint256 s;
        assembly ("memory-safe") {
            s := mload(add(sig, 64))
            mstore(add(sig, 64), sub(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141, s))
        }
        sig[64] = sig[64] == bytes1(uint8(27)) ? bytes1(uint8(28)) : bytes1(uint8(27));
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, coordinator, address(0)));
        disputes.proveHeadEquivocation(work, second);
    }

    function anotherHead(Assignment memory a) private view returns (SignedAssignment memory) {
        a.drawHead = keccak256("another head");
        return signed(COORDINATOR_KEY, a);
    }
}

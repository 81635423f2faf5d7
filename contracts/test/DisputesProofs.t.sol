// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Messages} from "../src/disputes/Messages.sol";
import {Assignment, Receipt, SignedAssignment, SignedReceipt, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Role} from "../src/interfaces/StakingTypes.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev Two signatures that exclude each other.
contract DisputesProofsTest is DisputesFixture {
    function other(Receipt memory r) private pure returns (Receipt memory) {
        r.pictureHashes[1] = keccak256("another picture");
        return r;
    }

    function prove(SignedAssignment memory work, SignedReceipt memory first, SignedReceipt memory second) private {
        VM.prank(VOTER);
        disputes.proveReceiptEquivocation(work, first, second);
    }

    /// @dev Proves two receipts, the second signed with `key`, and expects to be refused.
    function receiptsRefused(Assignment memory a, uint256 key, Receipt memory second, bytes memory reason) private {
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory result = signed(key, second);
        VM.expectRevert(reason);
        prove(work, first, result);
    }

    function headsRefused(SignedAssignment memory first, SignedAssignment memory second, bytes memory reason) private {
        VM.expectRevert(reason);
        disputes.proveHeadEquivocation(first, second);
    }

    function another(Assignment memory a) private pure returns (Assignment memory) {
        a.drawHead = keccak256("another head");
        a.taskId = bytes16(keccak256("another task"));
        return a;
    }

    // ------------------------------------------------------------------------------------------------- receipts

    function test_receipts__other_pixels__half_of_own_and_a_quarter_to_the_reporter() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(Messages.hashAssignment(a))));
        uint256 before = inWallet(VOTER);
        uint256 supply = token.totalSupply();
        VM.expectEmit(address(disputes));
        emit IDisputes.Equivocated(miner, faultOf(a), VOTER, 10_000 * CAI, 5000 * CAI);
        prove(work, first, second);
        VM.assertEq(inWallet(VOTER) - before, 5000 * CAI);
        VM.assertEq(ownOf(miner), 10_000 * CAI);
        VM.assertEq(supply - token.totalSupply(), 5000 * CAI);
        VM.assertEq(inWallet(address(disputes)), 0);
        VM.assertTrue(staking.convicted(faultOf(a)));
        VM.expectRevert(abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, faultOf(a)));
        prove(work, first, second);
    }

    function test_receipts__other_latents_only__convicts() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        Receipt memory r = receipt(Messages.hashAssignment(a));
        r.latentsRoot = keccak256("other latents");
        prove(work, first, signed(MINER_KEY, r));
        VM.assertEq(ownOf(miner), 10_000 * CAI);
    }

    function test_receipts__fewer_pictures__convicts() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        Receipt memory r = receipt(Messages.hashAssignment(a));
        r.pictureHashes = new bytes32[](1);
        r.pictureHashes[0] = first.receipt.pictureHashes[0];
        prove(work, first, signed(MINER_KEY, r));
        VM.assertEq(ownOf(miner), 10_000 * CAI);
    }

    function test_receipts__same_result_at_another_time__refused() public {
        Assignment memory a = assignment();
        Receipt memory r = receipt(Messages.hashAssignment(a));
        ++r.finishedAt;
        r.profile.torch = "2.14.0";
        receiptsRefused(a, MINER_KEY, r, abi.encodeWithSelector(IDisputes.ReceiptsAgree.selector));
    }

    function test_receipts__over_another_assignment__refused() public {
        Assignment memory a = assignment();
        Receipt memory r = other(receipt(keccak256("another assignment")));
        receiptsRefused(
            a,
            MINER_KEY,
            r,
            abi.encodeWithSelector(IDisputes.AssignmentMismatch.selector, Messages.hashAssignment(a), r.assignmentHash)
        );
    }

    function test_receipts__signed_by_another_node__refused() public {
        Assignment memory a = assignment();
        Receipt memory r = other(receipt(Messages.hashAssignment(a)));
        bytes memory reason = abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, miner, VM.addr(JUROR_KEY));
        receiptsRefused(a, JUROR_KEY, r, reason);
    }

    function test_receipts__no_signature__refused() public {
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(assignment());
        SignedReceipt memory second =
            SignedReceipt({receipt: other(receipt(first.receipt.assignmentHash)), signature: ""});
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, miner, address(0)));
        prove(work, first, second);
    }

    function test_receipts__assignment_not_by_the_coordinator__refused() public {
        Assignment memory a = assignment();
        (, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(first.receipt.assignmentHash)));
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, coordinator, VM.addr(MINER_KEY)));
        prove(signed(MINER_KEY, a), first, second);
    }

    function test_receipts__on_another_chain__refused() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(first.receipt.assignmentHash)));
        VM.chainId(1);
        VM.expectPartialRevert(IDisputes.SignatureInvalid.selector);
        prove(work, first, second);
    }

    function test_receipts__report_window__ends_with_its_last_second() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(first.receipt.assignmentHash)));
        pass(61);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.ReportWindowOver.selector, a.deadline + 60));
        prove(work, first, second);
        VM.warp(a.deadline + 60);
        prove(work, first, second);
    }

    function test_receipts__operators_before_and_after_a_rotation__both_count() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        rotate(miner, OWNER, Role.Miner, 0xD1);
        prove(work, first, signed(0xD1, other(receipt(first.receipt.assignmentHash))));
        VM.assertEq(ownOf(miner), 10_000 * CAI);
    }

    function test_receipts__replaced_operator__counts_for_what_it_can_have_begun() public {
        uint40 replacedAt = sinceStart(time() - start);
        rotate(miner, OWNER, Role.Miner, 0xD1);
        Assignment memory a = assignment();
        a.deadline = replacedAt + 61;
        Receipt memory r = other(receipt(Messages.hashAssignment(a)));
        bytes memory reason =
            abi.encodeWithSelector(IDisputes.OperatorReplaced.selector, VM.addr(MINER_KEY), replacedAt);
        receiptsRefused(a, MINER_KEY, r, reason);
        a.deadline = replacedAt + 60;
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        prove(work, first, signed(MINER_KEY, other(receipt(Messages.hashAssignment(a)))));
        VM.assertEq(ownOf(miner), 10_000 * CAI);
    }

    function test_receipts__roles_exchanged__refused() public {
        Assignment memory a = assignment();
        (a.coordinatorNode, a.minerNode) = (miner, coordinator);
        SignedReceipt memory first = signed(COORDINATOR_KEY, receipt(Messages.hashAssignment(a)));
        SignedReceipt memory second = signed(COORDINATOR_KEY, other(receipt(Messages.hashAssignment(a))));
        SignedAssignment memory work = signed(MINER_KEY, a);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.RoleWrong.selector, miner, Role.Coordinator));
        prove(work, first, second);
        a.coordinatorNode = coordinator;
        first = signed(COORDINATOR_KEY, receipt(Messages.hashAssignment(a)));
        second = signed(COORDINATOR_KEY, other(receipt(Messages.hashAssignment(a))));
        work = signed(COORDINATOR_KEY, a);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.RoleWrong.selector, coordinator, Role.Miner));
        prove(work, first, second);
    }

    function test_receipts__reporting_oneself__never_profits() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(first.receipt.assignmentHash)));
        uint256 before = inWallet(OWNER) + ownOf(miner);
        VM.prank(OWNER);
        disputes.proveReceiptEquivocation(work, first, second);
        VM.assertEq(before - inWallet(OWNER) - ownOf(miner), 5000 * CAI);
    }

    function test_receipts__during_a_dispute_over_the_same__jurors_are_paid_by_the_accuser() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, other(receipt(first.receipt.assignmentHash)));
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        prove(work, first, second);
        end(id);
        // One conviction per fault.
        VM.assertEq(ownOf(miner), 10_000 * CAI);
        VM.assertEq(disputes.owedTo(OTHER), BOND - 21 * FEE);
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, faultOf(a)));
    }

    // ---------------------------------------------------------------------------------------------------- heads

    function test_heads__two_for_one_draw__half_of_the_coordinators_own() public {
        SignedAssignment memory first = signed(COORDINATOR_KEY, assignment());
        SignedAssignment memory second = signed(COORDINATOR_KEY, another(assignment()));
        bytes32 draw = keccak256(abi.encode(first.assignment.seedTip, first.assignment.drawIndex));
        bytes32 faultId = disputes.faultIdOf(coordinator, 0, draw);
        uint256 before = inWallet(VOTER);
        VM.expectEmit(address(disputes));
        emit IDisputes.Equivocated(coordinator, faultId, VOTER, 1_000_000 * CAI, 500_000 * CAI);
        VM.prank(VOTER);
        disputes.proveHeadEquivocation(first, second);
        VM.assertEq(ownOf(coordinator), 1_000_000 * CAI);
        VM.assertEq(inWallet(VOTER) - before, 500_000 * CAI);
        headsRefused(second, first, abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, faultId));
    }

    function test_heads__nothing_excludes_the_other__refused() public {
        bytes memory reason = abi.encodeWithSelector(IDisputes.HeadsAgree.selector);
        SignedAssignment memory first = signed(COORDINATOR_KEY, assignment());
        Assignment memory a = another(assignment());
        a.drawHead = first.assignment.drawHead;
        headsRefused(first, signed(COORDINATOR_KEY, a), reason);
        a = another(assignment());
        ++a.drawIndex;
        headsRefused(first, signed(COORDINATOR_KEY, a), reason);
        a = another(assignment());
        a.seedTip = keccak256("another tip");
        headsRefused(first, signed(COORDINATOR_KEY, a), reason);
        a = another(assignment());
        a.coordinatorNode = miner;
        headsRefused(first, signed(MINER_KEY, a), reason);
    }

    function test_heads__either_not_signed_by_the_coordinator__refused() public {
        SignedAssignment memory good = signed(COORDINATOR_KEY, assignment());
        SignedAssignment memory bad = signed(MINER_KEY, another(assignment()));
        bytes memory reason =
            abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, coordinator, VM.addr(MINER_KEY));
        headsRefused(good, bad, reason);
        headsRefused(bad, good, reason);
    }

    function test_heads__either_too_old__refused() public {
        SignedAssignment memory old = signed(COORDINATOR_KEY, assignment());
        pass(1);
        SignedAssignment memory young = signed(COORDINATOR_KEY, another(assignment()));
        pass(60);
        bytes memory reason = abi.encodeWithSelector(IDisputes.ReportWindowOver.selector, time() - 1);
        headsRefused(old, young, reason);
        headsRefused(young, old, reason);
    }

    function test_heads__node_is_no_coordinator_or_none__refused() public {
        Assignment memory a = assignment();
        Assignment memory b = another(assignment());
        a.coordinatorNode = b.coordinatorNode = miner;
        headsRefused(
            signed(MINER_KEY, a),
            signed(MINER_KEY, b),
            abi.encodeWithSelector(IDisputes.RoleWrong.selector, miner, Role.Coordinator)
        );
        a.coordinatorNode = b.coordinatorNode = 0;
        headsRefused(
            signed(0xBAD, a), signed(0xBAD, b), abi.encodeWithSelector(IStaking.NodeUnknown.selector, uint32(0))
        );
    }
}

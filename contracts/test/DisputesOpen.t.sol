// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Messages} from "../src/disputes/Messages.sol";
import {
    Assignment,
    Outcome,
    Phase,
    Receipt,
    SignedAssignment,
    SignedReceipt,
    Verdict
} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {Role} from "../src/interfaces/StakingTypes.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev Who may accuse whom, when, and for how much.
contract DisputesOpenTest is DisputesFixture {
    address private constant STRANGER = address(0x5757);

    function alone(Assignment memory a) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDisputes.CoordinatorAlone.selector, uint256(a.deadline) + 30);
    }

    function test_open__by_the_coordinator__bond_taken_and_evidence_shown() public {
        uint256 before = inWallet(OTHER);
        uint256 id = opened();
        VM.assertEq(before - inWallet(OTHER), BOND);
        VM.assertEq(inWallet(address(disputes)), BOND);
        assertPhase(id, Phase.Claim, time() + 10);
    }

    function test_open__by_the_coordinators_operator__allowed_from_the_first_second() public {
        address operator = VM.addr(COORDINATOR_KEY);
        give(operator);
        openAs(operator, assignment());
    }

    function test_open__by_others__only_after_the_coordinators_time() public {
        Assignment memory a = assignment();
        give(STRANGER);
        VM.warp(a.deadline + 30);
        openRefused(STRANGER, a, alone(a));
        VM.warp(a.deadline + 31);
        uint256 id = openAs(STRANGER, a);
        VM.assertEq(disputes.disputeOf(id).accuser, STRANGER);
    }

    function test_open__report_window__ends_with_its_last_second() public {
        Assignment memory a = assignment();
        VM.warp(a.deadline + 61);
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.ReportWindowOver.selector, a.deadline + 60));
        VM.warp(a.deadline + 60);
        openAs(OTHER, a);
    }

    function test_open__bond_not_there__nothing_happens() public {
        Assignment memory a = assignment();
        VM.warp(a.deadline + 31);
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(a);
        VM.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        VM.prank(STRANGER);
        disputes.open(work, result);
        VM.assertEq(disputes.disputeCount(), 0);
    }

    function test_open__assignment_not_signed_by_the_coordinator__refused() public {
        Assignment memory a = assignment();
        (, SignedReceipt memory result) = evidence(a);
        SignedAssignment memory forged = signed(0xBAD, a);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, coordinator, VM.addr(0xBAD)));
        VM.prank(OTHER);
        disputes.open(forged, result);
    }

    function test_open__receipt_not_signed_by_the_miner__refused() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work,) = evidence(a);
        SignedReceipt memory forged = signed(0xBAD, receipt(Messages.hashAssignment(a)));
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SignatureInvalid.selector, miner, VM.addr(0xBAD)));
        VM.prank(OTHER);
        disputes.open(work, forged);
    }

    function test_open__receipt_over_another_assignment__refused() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work,) = evidence(a);
        bytes32 elsewhere = keccak256("elsewhere");
        SignedReceipt memory other = signed(MINER_KEY, receipt(elsewhere));
        VM.expectRevert(
            abi.encodeWithSelector(IDisputes.AssignmentMismatch.selector, Messages.hashAssignment(a), elsewhere)
        );
        VM.prank(OTHER);
        disputes.open(work, other);
    }

    function test_open__roles_exchanged__refused() public {
        Assignment memory a = assignment();
        (a.coordinatorNode, a.minerNode) = (miner, coordinator);
        SignedAssignment memory work = signed(MINER_KEY, a);
        SignedReceipt memory result = signed(COORDINATOR_KEY, receipt(Messages.hashAssignment(a)));
        VM.expectRevert(abi.encodeWithSelector(IDisputes.RoleWrong.selector, miner, Role.Coordinator));
        VM.prank(OTHER);
        disputes.open(work, result);
    }

    function test_open__on_another_chain__refused() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(a);
        VM.chainId(1);
        VM.expectPartialRevert(IDisputes.SignatureInvalid.selector);
        VM.prank(OTHER);
        disputes.open(work, result);
    }

    function test_open__while_one_is_running__refused() public {
        uint256 id = opened();
        openRefused(OTHER, assignment(), abi.encodeWithSelector(IDisputes.DisputeRunning.selector, id));
    }

    function test_open__proven_already__refused() public {
        Assignment memory a = assignment();
        (SignedAssignment memory work, SignedReceipt memory first) = evidence(a);
        SignedReceipt memory second = signed(MINER_KEY, withOtherRoot(a));
        disputes.proveReceiptEquivocation(work, first, second);
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, faultOf(a)));
    }

    function test_open__after_a_conviction__refused() public {
        Assignment memory a = assignment();
        uint256 id = openAs(OTHER, a);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        end(id);
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, faultOf(a)));
    }

    function test_open__again_after_a_draw__double_bond() public {
        Assignment memory a = assignment();
        uint256 id = openAs(OTHER, a);
        pass(40);
        disputes.execute(id);
        VM.assertEq(disputes.bondOf(faultOf(a)), 2 * BOND);
        uint256 before = inWallet(OTHER);
        id = openAs(OTHER, a);
        VM.assertEq(before - inWallet(OTHER), 2 * BOND);
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.DisputeRunning.selector, id));
        pass(40);
        disputes.execute(id);
        VM.assertEq(withdrawAs(OTHER), 3 * BOND);
    }

    /// @dev All weight goes to one of the parties.
    function nobodyCanJudge() private {
        for (uint256 i = 0; i < 3; ++i) {
            moveNode(jurors[i], i < 2 ? VOTER : VOTER2, OWNER);
        }
        VM.warp((time() / 20 + 2) * 20);
    }

    function test_open__nobody_can_judge__is_drawn_at_once() public {
        nobodyCanJudge();
        uint256 id = opened();
        assertPhase(id, Phase.Execute, 0);
        disputes.execute(id);
        VM.assertEq(uint256(disputes.disputeOf(id).outcome), uint256(Outcome.Drawn));
        VM.assertEq(disputes.owedTo(OTHER), BOND);
    }

    function test_open__a_third_time__refused() public {
        nobodyCanJudge();
        Assignment memory a = assignment();
        disputes.execute(openAs(OTHER, a));
        pass(31);
        disputes.execute(openAs(OTHER, a));
        openRefused(OTHER, a, abi.encodeWithSelector(IDisputes.ReopenedAlready.selector, faultOf(a)));
    }

    function test_open__while_entries_are_paused__works_to_the_end() public {
        VM.prank(GOVERNOR);
        staking.pauseEntries(7 days);
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        end(id);
        settleAll(id, 0);
        VM.assertEq(withdrawAs(OTHER), BOND);
    }

    function test_open__two_faults_at_once__each_its_own_dispute() public {
        uint256 first = opened();
        Assignment memory a = assignment();
        a.sequence = 10;
        uint256 second = openAs(OTHER, a);
        VM.assertEq(second, first + 1);
        VM.assertTrue(disputes.disputeOf(first).faultId != disputes.disputeOf(second).faultId);
    }

    function withOtherRoot(Assignment memory a) private view returns (Receipt memory r) {
        r = receipt(Messages.hashAssignment(a));
        r.latentsRoot = keccak256("other latents");
    }

    function give(address account) private {
        VM.prank(OTHER);
        VM.assertTrue(token.transfer(account, 1000 * CAI));
        VM.prank(account);
        token.approve(address(disputes), type(uint256).max);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lottery} from "../src/disputes/Lottery.sol";
import {Juror, Phase, Round, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev Who is seated, and what jurors may say when.
contract DisputesJuryTest is DisputesFixture {
    function claimRefused(uint256 id, address caller, uint32 node, bytes memory reason) private {
        VM.expectRevert(reason);
        VM.prank(caller);
        disputes.claimSeats(id, node);
    }

    function commitRefused(uint256 id, address caller, uint32 node, bytes32 commitment, bytes memory reason) private {
        VM.expectRevert(reason);
        VM.prank(caller);
        disputes.commit(id, node, commitment);
    }

    function wrongPhase(Phase required, Phase actual) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IDisputes.PhaseWrong.selector, required, actual);
    }

    // ---------------------------------------------------------------------------------------------------- the seed

    function test_drawSeed__known__anyone_once() public {
        uint256 id = opened();
        disputes.drawSeed(id);
        VM.assertEq(disputes.roundOf(id, 0).seed, SEED);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SeedTaken.selector, SEED));
        disputes.drawSeed(id);
    }

    function test_drawSeed__not_known_yet__refused() public {
        source.set(1, bytes32(0));
        uint256 id = opened();
        VM.expectRevert(abi.encodeWithSelector(IDisputes.SeedUnknown.selector, 1));
        disputes.drawSeed(id);
        claimRefused(id, jurorAddress(0), jurors[0], abi.encodeWithSelector(IDisputes.SeedUnknown.selector, 1));
        VM.assertEq(disputes.seatsOf(id, jurors[0]), 0);
    }

    function test_drawSeed__lost__another_ticket_and_the_jury_is_seated_after_all() public {
        uint256 id = opened();
        source.lose(1);
        source.next();
        source.set(2, keccak256("another seed"));
        disputes.drawSeed(id);
        Round memory round = disputes.roundOf(id, 0);
        VM.assertEq(round.ticket, 2);
        VM.assertEq(round.seed, bytes32(0));
        claimSeats(id, 0);
        VM.assertEq(disputes.roundOf(id, 0).seed, keccak256("another seed"));
    }

    function test_drawSeed__after_claiming__refused() public {
        uint256 id = opened();
        pass(10);
        VM.expectRevert(wrongPhase(Phase.Claim, Phase.Commit));
        disputes.drawSeed(id);
    }

    // --------------------------------------------------------------------------------------------------- the seats

    function test_claimSeats__three_of_equal_weight__seven_each() public {
        uint256 id = opened();
        for (uint256 i = 0; i < 3; ++i) {
            VM.assertEq(claimSeats(id, i), 7);
            VM.assertEq(disputes.seatsOf(id, jurors[i]), 7);
        }
        VM.assertEq(disputes.roundOf(id, 0).claimed, 21);
        Juror memory juror = disputes.jurorOf(id, 0, jurors[2]);
        VM.assertEq(juror.seats, 7);
        VM.assertEq(juror.commitment, bytes32(0));
    }

    function test_claimSeats__twice__refused() public {
        uint256 id = opened();
        claimSeats(id, 0);
        claimRefused(id, jurorAddress(0), jurors[0], abi.encodeWithSelector(IDisputes.SeatsTaken.selector, jurors[0]));
    }

    function test_claimSeats__by_anybody_but_the_operator__refused() public {
        uint256 id = opened();
        claimRefused(id, VOTER, jurors[0], abi.encodeWithSelector(IDisputes.NotOperator.selector, jurors[0], VOTER));
    }

    function test_claimSeats__replaced_operator__refused() public {
        uint256 id = opened();
        rotate(jurors[0], VOTER, Role.Miner, 0xFF1);
        address replaced = jurorAddress(0);
        claimRefused(
            id, replaced, jurors[0], abi.encodeWithSelector(IDisputes.NotOperator.selector, jurors[0], replaced)
        );
    }

    function test_claimSeats__a_coordinator__refused() public {
        uint256 id = opened();
        claimRefused(
            id,
            VM.addr(COORDINATOR_KEY),
            coordinator,
            abi.encodeWithSelector(IDisputes.RoleWrong.selector, coordinator, Role.Miner)
        );
    }

    function test_claimSeats__the_accused__refused() public {
        uint256 id = opened();
        claimRefused(id, VM.addr(MINER_KEY), miner, abi.encodeWithSelector(IDisputes.JurorIsParty.selector, miner));
    }

    function test_claimSeats__another_node_of_a_party__refused() public {
        uint32 second = registered(OTHER, Role.Miner, 50_000 * CAI, 0xFF2);
        uint32 third = registered(OWNER, Role.Miner, 50_000 * CAI, 0xFF3);
        VM.warp((time() / 20 + 1) * 20);
        uint256 id = opened();
        VM.assertEq(disputes.roundOf(id, 0).weight, 300_000);
        claimRefused(id, VM.addr(0xFF2), second, abi.encodeWithSelector(IDisputes.JurorIsParty.selector, second));
        claimRefused(id, VM.addr(0xFF3), third, abi.encodeWithSelector(IDisputes.JurorIsParty.selector, third));
        VM.assertEq(disputes.seatsOf(id, second), 0);
    }

    function test_claimSeats__a_node_bought_by_a_party_meanwhile__refused() public {
        uint256 id = opened();
        moveNode(jurors[0], VOTER, OWNER);
        claimRefused(id, jurorAddress(0), jurors[0], abi.encodeWithSelector(IDisputes.JurorIsParty.selector, jurors[0]));
    }

    function test_claimSeats__a_node_lent_by_a_party_after_the_epoch__has_no_seat() public {
        uint32 lent = registered(OWNER, Role.Miner, 100_000 * CAI, 0xFF4);
        VM.warp((time() / 20 + 1) * 20);
        moveNode(lent, OWNER, address(0x7777));
        uint256 id = opened();
        claimRefused(id, VM.addr(0xFF4), lent, abi.encodeWithSelector(IDisputes.SeatsZero.selector, lent));
    }

    function test_claimSeats__weight_lost_since__refused() public {
        uint256 id = opened();
        VM.prank(VOTER2);
        staking.unvote(jurors[2], Tranche.Own, 100_000 * CAI);
        claimRefused(
            id, jurorAddress(2), jurors[2], abi.encodeWithSelector(IDisputes.JurorIneligible.selector, jurors[2])
        );
        VM.assertEq(disputes.seatsOf(id, jurors[2]), 0);
    }

    function test_claimSeats__registered_after_the_epoch__has_no_seat() public {
        uint32 late = registered(VOTER2, Role.Miner, 100_000 * CAI, 0xFF5);
        uint256 id = opened();
        claimRefused(id, VM.addr(0xFF5), late, abi.encodeWithSelector(IDisputes.SeatsZero.selector, late));
    }

    function test_claimSeats__too_late__refused() public {
        uint256 id = opened();
        pass(10);
        claimRefused(id, jurorAddress(0), jurors[0], wrongPhase(Phase.Claim, Phase.Commit));
    }

    function test_claimSeats__unknown_dispute__refused() public {
        claimRefused(9, jurorAddress(0), jurors[0], abi.encodeWithSelector(IDisputes.DisputeUnknown.selector, 9));
    }

    // ------------------------------------------------------------------------------------------------- the lottery

    function testFuzz_lottery__any_weights__its_share_rounded_up_or_down(
        bytes32 seed,
        uint32 node,
        uint256 wanted,
        uint256 weight,
        uint256 total
    ) public pure {
        wanted = 1 + wanted % 2003;
        total = 1 + total % 1_000_000_000;
        weight = weight % (total + 1);
        uint256 seats = Lottery.seats(seed, 1, 0, node, wanted, weight, total);
        VM.assertGe(seats, wanted * weight / total);
        VM.assertLe(seats, (wanted * weight + total - 1) / total);
    }

    function test_lottery__many_nodes__the_expected_seats_in_sum() public pure {
        uint256 sum = 0;
        for (uint32 node = 1; node <= 2000; ++node) {
            sum += Lottery.seats(SEED, 1, 0, node, 21, 7, 14_000);
        }
        // 21 expected; a standard deviation is 4.6.
        VM.assertGe(sum, 7);
        VM.assertLe(sum, 35);
    }

    // ------------------------------------------------------------------------------------------------ the verdicts

    function test_commit__then_reveal__is_counted_by_seats() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.NotGuilty, Verdict.Abstain);
        Round memory round = disputes.roundOf(id, 0);
        VM.assertEq(round.guilty, 7);
        VM.assertEq(round.notGuilty, 7);
        VM.assertEq(round.abstained, 7);
        VM.assertEq(uint256(disputes.jurorOf(id, 0, jurors[1]).verdict), uint256(Verdict.NotGuilty));
    }

    function test_commit__refusals() public {
        uint256 id = opened();
        claimSeats(id, 0);
        bytes32 commitment = commitmentBy(id, 0, Verdict.Guilty);
        commitRefused(id, jurorAddress(0), jurors[0], commitment, wrongPhase(Phase.Commit, Phase.Claim));
        pass(10);
        commitRefused(
            id, jurorAddress(0), jurors[0], bytes32(0), abi.encodeWithSelector(IDisputes.CommitmentZero.selector)
        );
        commitRefused(
            id,
            jurorAddress(1),
            jurors[0],
            commitment,
            abi.encodeWithSelector(IDisputes.NotOperator.selector, jurors[0], jurorAddress(1))
        );
        commitRefused(
            id,
            jurorAddress(1),
            jurors[1],
            commitment,
            abi.encodeWithSelector(IDisputes.JurorUnknown.selector, jurors[1])
        );
        commit(id, 0, Verdict.Guilty);
        commitRefused(
            id,
            jurorAddress(0),
            jurors[0],
            commitment,
            abi.encodeWithSelector(IDisputes.CommitmentTaken.selector, jurors[0])
        );
        pass(20);
        commitRefused(id, jurorAddress(0), jurors[0], commitment, wrongPhase(Phase.Commit, Phase.Reveal));
    }

    function test_commit__replaced_operator__refused_and_the_new_one_may() public {
        uint256 id = opened();
        claimSeats(id, 0);
        pass(10);
        rotate(jurors[0], VOTER, Role.Miner, 0xFF6);
        bytes32 commitment = commitmentBy(id, 0, Verdict.Guilty);
        commitRefused(
            id,
            jurorAddress(0),
            jurors[0],
            commitment,
            abi.encodeWithSelector(IDisputes.NotOperator.selector, jurors[0], jurorAddress(0))
        );
        VM.prank(VM.addr(0xFF6));
        disputes.commit(id, jurors[0], commitment);
    }

    function test_reveal__refusals() public {
        uint256 id = opened();
        claimSeats(id, 0);
        claimSeats(id, 1);
        pass(10);
        commit(id, 0, Verdict.Guilty);
        VM.expectRevert(wrongPhase(Phase.Reveal, Phase.Commit));
        disputes.reveal(id, jurors[0], Verdict.Guilty, DIGEST, SALT);
        pass(20);
        VM.expectRevert(IDisputes.VerdictNone.selector);
        disputes.reveal(id, jurors[0], Verdict.None, DIGEST, SALT);
        VM.expectPartialRevert(IDisputes.CommitmentMismatch.selector);
        disputes.reveal(id, jurors[0], Verdict.NotGuilty, DIGEST, SALT);
        VM.expectPartialRevert(IDisputes.CommitmentMismatch.selector);
        disputes.reveal(id, jurors[0], Verdict.Guilty, DIGEST, bytes32(0));
        VM.expectPartialRevert(IDisputes.CommitmentMismatch.selector);
        disputes.reveal(id, jurors[1], Verdict.Guilty, DIGEST, SALT);
        reveal(id, 0, Verdict.Guilty);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.CommitmentTaken.selector, jurors[0]));
        disputes.reveal(id, jurors[0], Verdict.Guilty, DIGEST, SALT);
        pass(10);
        VM.expectPartialRevert(IDisputes.PhaseWrong.selector);
        disputes.reveal(id, jurors[0], Verdict.Guilty, DIGEST, SALT);
    }

    function test_commit__a_copied_commitment__can_not_be_opened() public {
        uint256 id = opened();
        claimSeats(id, 0);
        claimSeats(id, 1);
        pass(10);
        bytes32 copied = commitmentBy(id, 0, Verdict.Guilty);
        commit(id, 0, Verdict.Guilty);
        VM.prank(jurorAddress(1));
        disputes.commit(id, jurors[1], copied);
        pass(20);
        VM.expectPartialRevert(IDisputes.CommitmentMismatch.selector);
        disputes.reveal(id, jurors[1], Verdict.Guilty, DIGEST, SALT);
    }
}

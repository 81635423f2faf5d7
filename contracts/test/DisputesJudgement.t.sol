// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Assignment, Outcome, Phase, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {Fault} from "../src/interfaces/StakingTypes.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev How disputes end, and where each wei goes. The accused has 20,000 CAI of its own: 5 % of it are 1,000.
contract DisputesJudgementTest is DisputesFixture {
    uint256 private constant JURY = 105 * CAI;

    function outcomeOf(uint256 id) private view returns (uint256) {
        return uint256(disputes.disputeOf(id).outcome);
    }

    function assertOutcome(uint256 id, Outcome outcome) private view {
        VM.assertEq(outcomeOf(id), uint256(outcome));
    }

    /// @dev Pays all jurors of both rounds, and has everybody withdraw: nothing but dust may be left.
    function settleEverything(uint256 id) private {
        uint256 rounds = disputes.disputeOf(id).rounds;
        for (uint256 index = 0; index < rounds; ++index) {
            for (uint256 i = 0; i < 3; ++i) {
                if (disputes.jurorOf(id, index, jurors[i]).seats > 0) disputes.settleJuror(id, index, jurors[i]);
            }
        }
        if (disputes.owedTo(OTHER) > 0) withdrawAs(OTHER);
        if (disputes.owedTo(OWNER) > 0) withdrawAs(OWNER);
        VM.assertEq(inWallet(address(disputes)), 0);
    }

    // ---------------------------------------------------------------------------------------------------- the first

    function test_convicted__jurors_paid_from_the_loss_and_the_bond_comes_back() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        uint256 supply = token.totalSupply();
        end(id);
        assertOutcome(id, Outcome.Convicted);
        VM.assertEq(ownOf(miner), 19_000 * CAI);
        VM.assertTrue(staking.convicted(disputes.disputeOf(id).faultId));
        VM.assertEq(staking.nodeOf(miner).weight, 0);
        VM.assertEq(disputes.disputeOf(id).feePerSeat, FEE);
        VM.assertEq(supply - token.totalSupply(), 1000 * CAI - JURY);
        VM.assertEq(disputes.owedTo(OTHER), BOND);
        uint256 before = inWallet(VOTER);
        settleEverything(id);
        VM.assertEq(inWallet(VOTER) - before, 70 * CAI);
    }

    function test_acquitted__jurors_paid_from_the_bond_and_the_rest_burned() public {
        uint256 id = opened();
        judge(id, Verdict.NotGuilty, Verdict.NotGuilty, Verdict.NotGuilty);
        uint256 supply = token.totalSupply();
        end(id);
        assertOutcome(id, Outcome.Acquitted);
        VM.assertEq(ownOf(miner), 20_000 * CAI);
        VM.assertFalse(staking.convicted(disputes.disputeOf(id).faultId));
        VM.assertEq(supply - token.totalSupply(), BOND - JURY);
        VM.assertEq(disputes.owedTo(OTHER), 0);
        settleEverything(id);
    }

    function test_majority__of_seats__decides_and_the_others_pay() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.NotGuilty);
        end(id);
        assertOutcome(id, Outcome.Convicted);
        settleEverything(id);
        VM.assertEq(ownOf(jurors[2]), 100_000 * CAI - 7 * 2 * FEE);
        VM.assertEq(ownOf(jurors[0]), 100_000 * CAI);
    }

    function test_silent_juror__pays_two_fees_a_seat() public {
        uint256 id = opened();
        judge(id, Verdict.NotGuilty, Verdict.NotGuilty, Verdict.None);
        end(id);
        assertOutcome(id, Outcome.Acquitted);
        settleEverything(id);
        VM.assertEq(ownOf(jurors[2]), 100_000 * CAI - 70 * CAI);
    }

    function test_abstaining__counts_for_the_quorum_and_costs_nothing() public {
        uint256 id = opened();
        judge(id, Verdict.Abstain, Verdict.Abstain, Verdict.Guilty);
        end(id);
        assertOutcome(id, Outcome.Convicted);
        uint256 before = inWallet(VOTER);
        settleEverything(id);
        VM.assertEq(inWallet(VOTER), before);
        VM.assertEq(ownOf(jurors[0]), 100_000 * CAI);
    }

    function drawn(uint256 id) private {
        assertPhase(id, Phase.Execute, 0);
        disputes.execute(id);
        assertOutcome(id, Outcome.Drawn);
        VM.assertEq(disputes.owedTo(OTHER), BOND);
        VM.assertEq(ownOf(miner), 20_000 * CAI);
        settleEverything(id);
    }

    function test_tie__is_drawn_without_an_appeal_and_nobody_pays() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.NotGuilty, Verdict.Abstain);
        drawn(id);
        VM.assertEq(ownOf(jurors[0]), 100_000 * CAI);
        VM.assertEq(ownOf(jurors[1]), 100_000 * CAI);
    }

    function test_quorum_missed__half_of_the_seats_silent__is_drawn_and_the_silent_pay() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.None, Verdict.None);
        drawn(id);
        VM.assertEq(ownOf(jurors[0]), 100_000 * CAI);
        VM.assertEq(ownOf(jurors[1]), 100_000 * CAI - 70 * CAI);
    }

    function test_nobody_claims__is_drawn() public {
        uint256 id = opened();
        pass(40);
        drawn(id);
    }

    function test_everybody_abstains__is_drawn() public {
        uint256 id = opened();
        judge(id, Verdict.Abstain, Verdict.Abstain, Verdict.Abstain);
        drawn(id);
    }

    // ---------------------------------------------------------------------------------------------------- appeals

    /// @dev Judges the running second round.
    function judgeAgain(uint256 id, Verdict verdict) private {
        judge(id, verdict, verdict, verdict);
        disputes.execute(id);
    }

    function test_appeal__by_the_accused__turns_a_conviction_over() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        uint256 before = inWallet(OWNER);
        appealAs(OWNER, id);
        VM.assertEq(before - inWallet(OWNER), APPEAL_BOND);
        VM.assertEq(disputes.roundOf(id, 1).seats, 43);
        judgeAgain(id, Verdict.NotGuilty);
        assertOutcome(id, Outcome.Acquitted);
        VM.assertEq(disputes.owedTo(OWNER), APPEAL_BOND);
        VM.assertEq(disputes.owedTo(OTHER), 0);
        VM.assertEq(ownOf(miner), 20_000 * CAI);
        settleEverything(id);
        // Those who convicted first were wrong, and those who acquitted were right: the same people here.
        VM.assertLe(ownOf(jurors[0]), 100_000 * CAI - 70 * CAI);
    }

    function test_appeal__by_the_accused__lost__its_bond_pays_the_jurors() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        appealAs(VM.addr(MINER_KEY), id, OWNER);
        uint256 supply = token.totalSupply();
        judgeAgain(id, Verdict.Guilty);
        assertOutcome(id, Outcome.Convicted);
        uint256 seats = disputes.roundOf(id, 0).guilty + disputes.roundOf(id, 1).guilty;
        VM.assertEq(disputes.owedTo(OTHER), BOND);
        VM.assertEq(disputes.disputeOf(id).feePerSeat, FEE);
        // The bond covers the jurors; all of the loss and what is left of the bond are burned.
        VM.assertEq(supply - token.totalSupply(), 1000 * CAI + APPEAL_BOND - seats * FEE);
        settleEverything(id);
    }

    function test_appeal__by_the_accuser__turns_an_acquittal_over() public {
        uint256 id = opened();
        judge(id, Verdict.NotGuilty, Verdict.NotGuilty, Verdict.NotGuilty);
        appealAs(OTHER, id);
        judgeAgain(id, Verdict.Guilty);
        assertOutcome(id, Outcome.Convicted);
        VM.assertEq(disputes.owedTo(OTHER), BOND + APPEAL_BOND);
        settleEverything(id);
    }

    function test_appeal__by_the_accuser__lost__both_its_bonds_are_gone() public {
        uint256 id = opened();
        judge(id, Verdict.NotGuilty, Verdict.NotGuilty, Verdict.NotGuilty);
        appealAs(OTHER, id);
        judgeAgain(id, Verdict.NotGuilty);
        assertOutcome(id, Outcome.Acquitted);
        VM.assertEq(disputes.owedTo(OTHER), 0);
        settleEverything(id);
    }

    function test_appeal__that_ends_in_a_tie__is_drawn_and_all_bonds_come_back() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        appealAs(OWNER, id);
        judgeAgain(id, Verdict.Abstain);
        assertOutcome(id, Outcome.Drawn);
        VM.assertEq(disputes.owedTo(OWNER), APPEAL_BOND);
        VM.assertEq(disputes.owedTo(OTHER), BOND);
        settleEverything(id);
    }

    function appealAs(address appellant, uint256 id, address paidBy) private {
        VM.prank(paidBy);
        VM.assertTrue(token.transfer(appellant, APPEAL_BOND));
        VM.prank(appellant);
        token.approve(address(disputes), APPEAL_BOND);
        appealAs(appellant, id);
    }

    function appealRefused(address appellant, uint256 id) private {
        VM.expectRevert(abi.encodeWithSelector(IDisputes.NotLoser.selector, appellant));
        appealAs(appellant, id);
    }

    function test_appeal__by_who_did_not_lose__refused() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        appealRefused(OTHER, id);
        appealRefused(VOTER, id);
        uint256 later = openAs(OTHER, otherTask());
        judge(later, Verdict.NotGuilty, Verdict.NotGuilty, Verdict.NotGuilty);
        appealRefused(OWNER, later);
    }

    function test_appeal__a_second_time__refused() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        appealAs(OWNER, id);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Appeal, Phase.Execute));
        appealAs(OWNER, id);
    }

    // ------------------------------------------------------------------------------------------ ending and paying

    function test_execute__too_early_or_twice__refused() public {
        uint256 id = opened();
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Execute, Phase.Claim));
        disputes.execute(id);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Execute, Phase.Appeal));
        disputes.execute(id);
        end(id);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Execute, Phase.Ended));
        disputes.execute(id);
    }

    function test_settleJuror__refusals() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Ended, Phase.Appeal));
        disputes.settleJuror(id, 0, jurors[0]);
        end(id);
        disputes.settleJuror(id, 0, jurors[0]);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.JurorSettled.selector, jurors[0]));
        disputes.settleJuror(id, 0, jurors[0]);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.JurorUnknown.selector, miner));
        disputes.settleJuror(id, 0, miner);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.JurorUnknown.selector, jurors[1]));
        disputes.settleJuror(id, 1, jurors[1]);
    }

    function test_withdraw__nothing_owed__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IDisputes.NothingOwed.selector, VOTER));
        withdrawAs(VOTER);
    }

    function test_withdraw__twice__pays_once() public {
        uint256 id = opened();
        pass(40);
        disputes.execute(id);
        VM.assertEq(withdrawAs(OTHER), BOND);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.NothingOwed.selector, OTHER));
        withdrawAs(OTHER);
    }

    function test_convicted__own_stake_nearly_gone__the_accuser_pays_what_is_missing() public {
        // Three convictions in a week: the third slash takes nothing, so that the bond has to pay the jurors.
        for (uint64 i = 0; i < 2; ++i) {
            uint256 earlier = openAs(OTHER, task(i));
            judge(earlier, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
            end(earlier);
            settleEverything(earlier);
        }
        uint256 id = openAs(OTHER, task(2));
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        uint256 own = ownOf(miner);
        end(id);
        VM.assertEq(ownOf(miner), own);
        VM.assertEq(disputes.owedTo(OTHER), BOND - JURY);
        settleEverything(id);
    }

    function test_convicted__half_of_the_loss_is_less_than_the_fees__the_accuser_pays_the_rest() public {
        // What an equivocation leaves of 20,000 CAI three times: 2,500, of which a jury takes 125.
        for (uint256 i = 0; i < 3; ++i) {
            slashNode(miner, Fault.Equivocation, i, 0);
        }
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        uint256 supply = token.totalSupply();
        end(id);
        VM.assertEq(ownOf(miner), 2375 * CAI);
        VM.assertEq(supply - token.totalSupply(), 125 * CAI / 2);
        VM.assertEq(disputes.owedTo(OTHER), BOND - JURY + 125 * CAI / 2);
        VM.assertEq(disputes.disputeOf(id).feePerSeat, FEE);
        settleEverything(id);
    }

    function test_appeal__too_late__refused() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        pass(10);
        VM.expectRevert(abi.encodeWithSelector(IDisputes.PhaseWrong.selector, Phase.Appeal, Phase.Execute));
        appealAs(OWNER, id);
    }

    function testFuzz_any_verdicts__bonds_are_conserved(uint8 first, uint8 second, uint8 third, bool again, uint8 next)
        public
    {
        uint256 id = opened();
        judge(id, Verdict(first % 4), Verdict(second % 4), Verdict(third % 4));
        if (again && phaseOf(id) == uint256(Phase.Appeal)) {
            bool convicted = disputes.roundOf(id, 0).guilty > disputes.roundOf(id, 0).notGuilty;
            appealAs(convicted ? OWNER : OTHER, id);
            judge(id, Verdict(next % 4), Verdict(next / 4 % 4), Verdict(next / 16 % 4));
        }
        uint256 held = inWallet(address(disputes));
        uint256 supply = token.totalSupply();
        uint256 staked = inWallet(address(staking));
        if (phaseOf(id) == uint256(Phase.Appeal)) pass(10);
        disputes.execute(id);
        uint256 burned = supply - token.totalSupply();
        VM.assertEq(held + staked, inWallet(address(disputes)) + inWallet(address(staking)) + burned);
        settleEverything(id);
    }

    function otherTask() private view returns (Assignment memory) {
        return task(99);
    }

    function task(uint64 sequence) private view returns (Assignment memory a) {
        a = assignment();
        a.sequence = 100 + sequence;
    }
}

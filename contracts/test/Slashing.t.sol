// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {Fault, NodeView, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract SlashingTest is StakingFixture {
    uint32 private _node;

    function setUp() public override {
        super.setUp();
        _node = newNode(OWNER, Role.Miner, 100_000 * CAI);
        voteFor(_node, VOTER, 40_000 * CAI);
    }

    function slash(Fault fault, uint256 faultId, uint256 payout)
        private
        returns (uint256 ownLoss, uint256 votesLoss, uint256 paid)
    {
        return slashNode(_node, fault, faultId, payout);
    }

    function test_slash__judged__5_percent_of_both_jail_and_burn() public {
        uint256 supply = token.totalSupply();
        VM.expectEmit(address(staking));
        emit IStaking.Slashed(
            _node, bytes32(uint256(1)), Fault.Judged, 5000 * CAI, 2000 * CAI, 1000 * CAI, sinceStart(20)
        );
        (uint256 ownLoss, uint256 votesLoss, uint256 paid) = slash(Fault.Judged, 1, 1000 * CAI);
        VM.assertEq(ownLoss, 5000 * CAI);
        VM.assertEq(votesLoss, 2000 * CAI);
        VM.assertEq(paid, 1000 * CAI);
        VM.assertEq(token.balanceOf(SLASHER), 1000 * CAI);
        VM.assertEq(token.totalSupply(), supply - 6000 * CAI);
        NodeView memory row = rowOf(_node);
        VM.assertEq(row.own.tokens, 95_000 * CAI);
        VM.assertEq(row.votes.tokens, 38_000 * CAI);
        VM.assertEq(row.weight, 0);
        VM.assertEq(row.jailedUntil, start + 20);
        VM.assertTrue(staking.convicted(bytes32(uint256(1))));
        VM.assertFalse(staking.convicted(bytes32(uint256(2))));
    }

    function test_slash__payout__at_most_half_of_the_own_loss() public {
        (uint256 ownLoss,, uint256 paid) = slash(Fault.Judged, 1, type(uint256).max);
        VM.assertEq(paid, ownLoss / 2);
        VM.assertEq(token.balanceOf(SLASHER), 2500 * CAI);
    }

    function test_slash__many_votes__lose_at_most_ten_times_the_own_loss() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 1_000_000 * CAI);
        (uint256 ownLoss, uint256 votesLoss,) = slashNode(node, Fault.Judged, 1, 0);
        VM.assertEq(ownLoss, 1000 * CAI);
        VM.assertEq(votesLoss, 10_000 * CAI);
    }

    function test_slash__equivocation__half_of_own_only() public {
        (uint256 ownLoss, uint256 votesLoss,) = slash(Fault.Equivocation, 1, 0);
        VM.assertEq(ownLoss, 50_000 * CAI);
        VM.assertEq(votesLoss, 0);
    }

    function test_slash__same_fault_again__nothing_happens() public {
        slash(Fault.Judged, 1, 0);
        (uint256 ownLoss, uint256 votesLoss, uint256 paid) = slash(Fault.Equivocation, 1, 1);
        VM.assertEq(ownLoss + votesLoss + paid, 0);
        VM.assertEq(rowOf(_node).own.tokens, 95_000 * CAI);
    }

    function test_slash__unknown_node__nothing_happens() public {
        (uint256 ownLoss, uint256 votesLoss, uint256 paid) = slashNode(99, Fault.Judged, 1, 1);
        VM.assertEq(ownLoss + votesLoss + paid, 0);
        VM.assertFalse(staking.convicted(bytes32(uint256(1))));
        VM.prank(SLASHER);
        VM.assertEq(staking.penalise(99, 1), 0);
    }

    function test_slash__third_in_a_week__takes_nothing_but_jails() public {
        slash(Fault.Judged, 1, 0);
        pass(3 days);
        slash(Fault.Judged, 2, 0);
        uint256 left = rowOf(_node).own.tokens;
        VM.assertEq(left, 90_250 * CAI);
        pass(4 days - 1);
        (uint256 ownLoss, uint256 votesLoss,) = slash(Fault.Judged, 3, 1);
        VM.assertEq(ownLoss + votesLoss, 0);
        VM.assertEq(rowOf(_node).jailedUntil, time() + 20);
        VM.assertTrue(staking.convicted(bytes32(uint256(3))));
        pass(1);
        (ownLoss,,) = slash(Fault.Judged, 4, 0);
        VM.assertEq(ownLoss, left / 20);
        (ownLoss,,) = slash(Fault.Judged, 5, 0);
        VM.assertEq(ownLoss, 0);
    }

    function test_slash__all_stake_gone__still_jails() public {
        unvoteFrom(_node, Tranche.Own, OWNER, 100_000 * CAI);
        uint256 bucket = (time() + 249) / 10;
        VM.warp(bucket * 10);
        staking.release(_node, Tranche.Own, OWNER, bucket);
        (uint256 ownLoss, uint256 votesLoss,) = slash(Fault.Judged, 1, 5);
        VM.assertEq(ownLoss + votesLoss, 0);
        VM.assertEq(rowOf(_node).jailedUntil, time() + 20);
        VM.assertEq(rowOf(_node).own.generation, 0);
    }

    function test_slash__while_unbonding__active_and_unbonding_lose_the_same() public {
        uint256 bucket = unvoteFrom(_node, Tranche.Own, OWNER, 60_000 * CAI);
        slash(Fault.Judged, 1, 0);
        VM.assertEq(rowOf(_node).own.activeTokens, 38_000 * CAI);
        VM.warp(bucket * 10);
        VM.assertEq(staking.release(_node, Tranche.Own, OWNER, bucket), 57_000 * CAI);
    }

    function test_slash__rewards_of_before__stay() public {
        addFees(_node, 140 * CAI);
        pass(60);
        slash(Fault.Judged, 1, 0);
        VM.assertApproxEqAbs(claimOf(_node, Tranche.Votes, VOTER), 36 * CAI, 1e7);
    }

    function test_slash__in_jail_already__never_shortens_it() public {
        slash(Fault.Judged, 1, 0);
        pass(10);
        slash(Fault.Equivocation, 2, 0);
        VM.assertEq(rowOf(_node).jailedUntil, start + 30);
    }

    function test_slash__not_a_slasher__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotSlasher.selector, GOVERNOR));
        VM.prank(GOVERNOR);
        staking.slash(_node, Fault.Judged, bytes32(0), 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotSlasher.selector, GOVERNOR));
        VM.prank(GOVERNOR);
        staking.penalise(_node, 1);
    }

    function test_slash__own_worthless__wiped_with_its_buckets() public {
        uint256 bucket = unvoteFrom(_node, Tranche.Own, OWNER, 50_000 * CAI);
        for (uint256 i = 0; i < 29; ++i) {
            slash(Fault.Equivocation, i, 0);
        }
        VM.assertEq(rowOf(_node).own.generation, 0);
        uint256 rest = rowOf(_node).own.tokens;
        VM.expectEmit(address(staking));
        emit IStaking.Wiped(_node, Tranche.Own, 0, rest - rest / 2);
        slash(Fault.Equivocation, 29, 0);
        NodeView memory row = rowOf(_node);
        VM.assertEq(row.own.generation, 1);
        VM.assertEq(row.own.shares, 0);
        VM.assertEq(staking.unbondingShares(_node, Tranche.Own, OWNER, bucket), 0);
        VM.warp(bucket * 10);
        VM.expectRevert(IStaking.SharesZero.selector);
        staking.release(_node, Tranche.Own, OWNER, bucket);
        // What is left belongs to somebody: the voters, and the idle stake.
        VM.assertEq(
            token.balanceOf(address(staking)),
            40_000 * CAI + staking.idleStake(OWNER) + staking.idleStake(VOTER) + 100_000_000 * CAI
        );
    }

    function test_penalise__amount__burned_without_jail() public {
        uint256 supply = token.totalSupply();
        VM.expectEmit(address(staking));
        emit IStaking.Penalised(_node, 10 * CAI);
        VM.prank(SLASHER);
        VM.assertEq(staking.penalise(_node, 10 * CAI), 10 * CAI);
        VM.assertEq(token.totalSupply(), supply - 10 * CAI);
        VM.assertEq(rowOf(_node).jailedUntil, 0);
        VM.assertEq(weightOf(_node), 139_990 * CAI);
    }

    function test_penalise__too_much__at_most_5_percent() public {
        VM.prank(SLASHER);
        VM.assertEq(staking.penalise(_node, type(uint256).max), 5000 * CAI);
    }

    function testFuzz_slash__any_amounts__takes_exactly_the_clamped_amount(uint96 own, uint96 votes, uint256 payout)
        public
    {
        uint256 ownStake = 20_000 * CAI + uint256(own) % (10_000_000 * CAI);
        uint256 voted = CAI + uint256(votes) % (40_000_000 * CAI);
        uint32 node = newNode(OTHER, Role.Miner, ownStake);
        voteFor(node, VOTER2, voted);
        uint256 held = token.balanceOf(address(staking));
        (uint256 ownLoss, uint256 votesLoss, uint256 paid) = slashNode(node, Fault.Judged, 1, payout);
        VM.assertEq(ownLoss, ownStake / 20);
        VM.assertEq(votesLoss, voted / 20 < 10 * ownLoss ? voted / 20 : 10 * ownLoss);
        VM.assertLe(paid, ownLoss / 2);
        VM.assertEq(rowOf(node).own.tokens, ownStake - ownLoss);
        VM.assertEq(rowOf(node).votes.tokens, voted - votesLoss);
        VM.assertEq(token.balanceOf(address(staking)), held - ownLoss - votesLoss);
        VM.assertEq(token.balanceOf(SLASHER), paid);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {Fault, NodeView, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract VotesTest is StakingFixture {
    function vote(uint32 node, Tranche tranche, address voter, uint256 amount, uint256 minShares) private {
        VM.prank(voter);
        staking.vote(node, tranche, amount, minShares);
    }

    function test_vote__votes_tranche__adds_weight() public {
        uint32 node = newMiner();
        VM.expectEmit(address(staking));
        emit IStaking.Voted(node, Tranche.Votes, VOTER, 100 * CAI, 100 * CAI);
        VM.expectEmit(address(staking));
        emit IStaking.Weighed(node, 20_100 * CAI, 20_000 * CAI, 100 * CAI, 20_000 * CAI);
        vote(node, Tranche.Votes, VOTER, 100 * CAI, 100 * CAI);
        VM.assertEq(weightOf(node), 20_100 * CAI);
        VM.assertEq(staking.activeShares(node, Tranche.Votes, VOTER), 100 * CAI);
        VM.assertEq(staking.idleStake(VOTER), 49_999_900 * CAI);
    }

    function test_vote__own_tranche__owner_only() public {
        uint32 node = newMiner();
        vote(node, Tranche.Own, OWNER, 100 * CAI, 0);
        VM.assertEq(rowOf(node).own.tokens, 20_100 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, VOTER));
        vote(node, Tranche.Own, VOTER, 100 * CAI, 0);
    }

    function test_vote__owner_in_the_votes__is_a_voter_like_others() public {
        uint32 node = newMiner();
        vote(node, Tranche.Votes, OWNER, 100 * CAI, 0);
        VM.assertEq(staking.activeShares(node, Tranche.Votes, OWNER), 100 * CAI);
    }

    function test_vote__below_1_cai_or_unknown_node__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.VoteTooLow.selector, CAI, CAI - 1));
        vote(node, Tranche.Votes, VOTER, CAI - 1, 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 2));
        vote(2, Tranche.Votes, VOTER, CAI, 0);
    }

    function test_vote__more_than_idle__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.IdleStakeTooLow.selector, 50_000_001 * CAI, 50_000_000 * CAI));
        vote(node, Tranche.Votes, VOTER, 50_000_001 * CAI, 0);
    }

    function test_vote__fewer_shares_than_asked__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.SharesTooFew.selector, CAI + 1, CAI));
        vote(node, Tranche.Votes, VOTER, CAI, CAI + 1);
    }

    function test_vote__after_a_slash__price_is_lower() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 1000 * CAI);
        slashNode(node, Fault.Judged, 1, 0);
        VM.assertEq(rowOf(node).votes.tokens, 950 * CAI);
        VM.assertEq(voteFor(node, VOTER2, 95 * CAI), 100 * CAI);
        VM.assertEq(rowOf(node).votes.activeTokens, 1045 * CAI);
    }

    function test_unvote__part__waits_in_its_bucket() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 100 * CAI);
        VM.warp(start + 1);
        uint256 expected = (start + 250) / 10;
        VM.expectEmit(address(staking));
        emit IStaking.Unvoted(node, Tranche.Votes, VOTER, 40 * CAI, expected);
        uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, 40 * CAI);
        VM.assertEq(bucket, expected);
        VM.assertEq(staking.unbondingShares(node, Tranche.Votes, VOTER, bucket), 40 * CAI);
        VM.assertEq(staking.activeShares(node, Tranche.Votes, VOTER), 60 * CAI);
        VM.assertEq(rowOf(node).votes.tokens, 100 * CAI);
        VM.assertEq(weightOf(node), 20_060 * CAI);
    }

    function test_unvote__own_below_the_minimum__allowed_and_weight_is_lost() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 100 * CAI);
        unvoteFrom(node, Tranche.Own, OWNER, 1);
        VM.assertEq(weightOf(node), 0);
        unvoteFrom(node, Tranche.Own, OWNER, 20_000 * CAI - 1);
        vote(node, Tranche.Own, OWNER, 20_000 * CAI, 0);
        VM.assertEq(weightOf(node), 20_100 * CAI);
    }

    function test_unvote__more_than_held_or_none__refused() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 100 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.SharesTooFew.selector, 101 * CAI, 100 * CAI));
        unvoteFrom(node, Tranche.Votes, VOTER, 101 * CAI);
        VM.expectRevert(IStaking.SharesZero.selector);
        unvoteFrom(node, Tranche.Votes, VOTER, 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, VOTER));
        unvoteFrom(node, Tranche.Own, VOTER, 1);
    }

    function test_revote__unbonding__counts_again() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 100 * CAI);
        uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, 40 * CAI);
        VM.expectEmit(address(staking));
        emit IStaking.Revoted(node, Tranche.Votes, VOTER, 30 * CAI, bucket);
        VM.prank(VOTER);
        staking.revote(node, Tranche.Votes, 30 * CAI, bucket);
        VM.assertEq(staking.unbondingShares(node, Tranche.Votes, VOTER, bucket), 10 * CAI);
        VM.assertEq(staking.activeShares(node, Tranche.Votes, VOTER), 90 * CAI);
        VM.assertEq(weightOf(node), 20_090 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.SharesTooFew.selector, 11 * CAI, 10 * CAI));
        VM.prank(VOTER);
        staking.revote(node, Tranche.Votes, 11 * CAI, bucket);
        VM.expectRevert(IStaking.SharesZero.selector);
        VM.prank(VOTER);
        staking.revote(node, Tranche.Votes, 0, bucket);
    }

    function test_release__when_reached__anyone_pays_it_into_idle() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 100 * CAI);
        uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, 100 * CAI);
        VM.warp(bucket * 10 - 1);
        VM.expectRevert(abi.encodeWithSelector(IStaking.BucketNotReached.selector, bucket * 10, bucket * 10 - 1));
        staking.release(node, Tranche.Votes, VOTER, bucket);
        VM.warp(bucket * 10);
        VM.expectEmit(address(staking));
        emit IStaking.Released(node, Tranche.Votes, VOTER, 100 * CAI, 100 * CAI, bucket);
        VM.assertEq(staking.release(node, Tranche.Votes, VOTER, bucket), 100 * CAI);
        VM.assertEq(staking.idleStake(VOTER), 50_000_000 * CAI);
        VM.assertEq(rowOf(node).votes.tokens, 0);
        VM.assertEq(rowOf(node).votes.shares, 0);
        VM.expectRevert(IStaking.SharesZero.selector);
        staking.release(node, Tranche.Votes, VOTER, bucket);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        staking.release(9, Tranche.Votes, VOTER, bucket);
    }

    function test_release__slashed_while_unbonding__pays_less() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 1000 * CAI);
        voteFor(node, VOTER2, 1000 * CAI);
        uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, 1000 * CAI);
        slashNode(node, Fault.Judged, 1, 0);
        NodeView memory row = rowOf(node);
        VM.assertEq(row.votes.activeTokens, 950 * CAI);
        VM.warp(bucket * 10);
        VM.assertEq(staking.release(node, Tranche.Votes, VOTER, bucket), 950 * CAI);
    }

    function testFuzz_votes__any_amounts_and_slashes__nobody_profits(
        uint96 first,
        uint96 second,
        uint8 slashes,
        uint96 part
    ) public {
        uint256 a = CAI + uint256(first) % (10_000_000 * CAI);
        uint256 b = CAI + uint256(second) % (10_000_000 * CAI);
        uint32 node = newNode(OWNER, Role.Miner, 1_000_000 * CAI);
        uint256 sharesA = voteFor(node, VOTER, a);
        for (uint256 i = 0; i < slashes % 12; ++i) {
            pass(7 days);
            slashNode(node, Fault.Judged, i, 0);
        }
        uint256 left = rowOf(node).votes.tokens;
        uint256 sharesB = voteFor(node, VOTER2, b);
        uint256 out = 1 + uint256(part) % sharesA;
        uint256 bucketA = unvoteFrom(node, Tranche.Votes, VOTER, out);
        uint256 bucketB = unvoteFrom(node, Tranche.Votes, VOTER2, sharesB);
        VM.warp(bucketB * 10);
        uint256 paidB = staking.release(node, Tranche.Votes, VOTER2, bucketB);
        VM.assertLe(paidB, b);
        // Shares are at most 10^9 a token, so that rounding takes a token's smallest part or two.
        VM.assertGe(paidB + 2, b);
        staking.release(node, Tranche.Votes, VOTER, bucketA);
        NodeView memory row = rowOf(node);
        VM.assertGe(row.votes.shares, row.votes.tokens);
        VM.assertEq(row.votes.shares, sharesA - out);
        if (out < sharesA) {
            uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, sharesA - out);
            VM.warp(bucket * 10);
            staking.release(node, Tranche.Votes, VOTER, bucket);
        }
        VM.assertEq(rowOf(node).votes.tokens, 0);
        VM.assertLe(staking.idleStake(VOTER), 50_000_000 * CAI - a + left + 2);
    }
}

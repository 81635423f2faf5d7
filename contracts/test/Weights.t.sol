// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {Fault, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract WeightsTest is StakingFixture {
    function test_weight__many_votes__at_most_ten_times_own() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 1_000_000 * CAI);
        VM.assertEq(weightOf(node), 200_000 * CAI);
        (uint256 all,,) = staking.roleOf(Role.Miner);
        VM.assertEq(all, 200_000 * CAI);
    }

    function test_roleOf__nodes_of_both_roles__sums_apart() public {
        newMiner();
        uint32 second = newMiner();
        newNode(OTHER, Role.Coordinator, 3_000_000 * CAI);
        voteFor(second, VOTER, 5 * CAI);
        (uint256 miners,,) = staking.roleOf(Role.Miner);
        (uint256 coordinators,,) = staking.roleOf(Role.Coordinator);
        VM.assertEq(miners, 40_005 * CAI);
        VM.assertEq(coordinators, 3_000_000 * CAI);
    }

    function test_jail__until_unjailed__no_weight() public {
        uint32 node = newNode(OWNER, Role.Miner, 30_000 * CAI);
        slashNode(node, Fault.Judged, 1, 0);
        VM.assertEq(weightOf(node), 0);
        VM.assertEq(rowOf(node).jailedUntil, start + 20);
        VM.expectRevert(abi.encodeWithSelector(IStaking.StillJailed.selector, node, start + 20));
        VM.prank(OWNER);
        staking.unjail(node);
        pass(20);
        staking.poke(node);
        VM.assertEq(weightOf(node), 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, VOTER));
        VM.prank(VOTER);
        staking.unjail(node);
        address operator = rowOf(node).operator;
        VM.expectEmit(address(staking));
        emit IStaking.Unjailed(node);
        VM.prank(operator);
        staking.unjail(node);
        VM.assertEq(weightOf(node), 28_500 * CAI);
        VM.assertEq(rowOf(node).jailedUntil, 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotJailed.selector, node));
        VM.prank(OWNER);
        staking.unjail(node);
    }

    function test_floor__slashed_below_the_minimum__stays_eligible_until_it_unvotes() public {
        uint32 node = newMiner();
        slashNode(node, Fault.Judged, 1, 0);
        VM.assertEq(rowOf(node).floor, 19_000 * CAI);
        pass(20);
        VM.prank(OWNER);
        staking.unjail(node);
        VM.assertEq(weightOf(node), 19_000 * CAI);
        unvoteFrom(node, Tranche.Own, OWNER, CAI);
        VM.assertEq(weightOf(node), 0);
        VM.prank(OWNER);
        staking.vote(node, Tranche.Own, 1001 * CAI, 0);
        VM.assertEq(rowOf(node).floor, 20_000 * CAI);
    }

    function test_floor__slashed_far__at_least_90_percent_of_the_minimum() public {
        uint32 node = newMiner();
        slashNode(node, Fault.Equivocation, 1, 0);
        VM.assertEq(rowOf(node).floor, 18_000 * CAI);
        VM.assertEq(rowOf(node).own.activeTokens, 10_000 * CAI);
        pass(20);
        VM.prank(OWNER);
        staking.unjail(node);
        VM.assertEq(weightOf(node), 0);
    }

    function test_floor__slashed_above_the_minimum__unchanged() public {
        uint32 node = newNode(OWNER, Role.Miner, 30_000 * CAI);
        slashNode(node, Fault.Judged, 1, 0);
        VM.assertEq(rowOf(node).floor, 20_000 * CAI);
    }

    function test_poke__unknown_node__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 1));
        staking.poke(1);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 1));
        staking.unjail(1);
    }

    function test_weightAt__epochs_pass__closing_weights_are_kept() public {
        uint32 node = newMiner();
        uint256 epoch = staking.juryEpochNow();
        pass(20);
        voteFor(node, VOTER, 100 * CAI);
        voteFor(node, VOTER, 100 * CAI + 0.5 ether);
        pass(40);
        uint256 shares = staking.activeShares(node, Tranche.Votes, VOTER);
        unvoteFrom(node, Tranche.Votes, VOTER, shares);
        pass(20);
        VM.assertEq(staking.nodeWeightAt(node, epoch - 1), 0);
        VM.assertEq(staking.nodeWeightAt(node, epoch), 20_000);
        VM.assertEq(staking.nodeWeightAt(node, epoch + 1), 20_200);
        VM.assertEq(staking.nodeWeightAt(node, epoch + 2), 20_200);
        VM.assertEq(staking.nodeWeightAt(node, epoch + 3), 20_000);
        VM.assertEq(staking.ownerWeightAt(OWNER, Role.Miner, epoch + 2), 20_200);
        VM.assertEq(staking.roleWeightAt(Role.Miner, epoch + 2), 20_200);
    }

    function test_weightAt__running_epoch__refused() public {
        uint32 node = newMiner();
        uint256 epoch = staking.juryEpochNow();
        VM.expectRevert(abi.encodeWithSelector(IStaking.EpochNotClosed.selector, epoch, epoch));
        staking.nodeWeightAt(node, epoch);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {Registration, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract EntriesTest is StakingFixture {
    function pause(uint32 durationS) private {
        VM.prank(GOVERNOR);
        staking.pauseEntries(durationS);
    }

    function test_pause__entries__refused_and_it_lapses() public {
        uint32 node = newMiner();
        pause(100);
        uint256 until = time() + 100;
        VM.assertEq(staking.entriesPausedUntil(), until);
        bytes memory reason = abi.encodeWithSelector(IStaking.EntriesArePaused.selector, until);
        expectError(reason);
        VM.prank(VOTER);
        staking.stake(CAI);
        expectError(reason);
        VM.prank(VOTER);
        staking.vote(node, Tranche.Votes, CAI, 0);
        Registration memory r = registration(OWNER, Role.Miner, 20_000 * CAI, 77);
        expectError(reason);
        VM.prank(OWNER);
        staking.register(r);
        pass(100);
        voteFor(node, VOTER, CAI);
    }

    function test_pause__exits__still_work() public {
        uint32 node = newMiner();
        uint256 shares = voteFor(node, VOTER, 10 * CAI);
        addFees(node, CAI);
        uint256 bucket = unvoteFrom(node, Tranche.Votes, VOTER, shares / 2);
        pass(250);
        pause(7 days);
        staking.release(node, Tranche.Votes, VOTER, bucket);
        unvoteFrom(node, Tranche.Votes, VOTER, shares - shares / 2);
        VM.assertGt(claimOf(node, Tranche.Votes, VOTER), 0);
        VM.prank(VOTER);
        staking.unstake(CAI);
    }

    function test_pause__longer_than_a_week__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.PauseTooLong.selector, 7 days, 7 days + 1));
        pause(7 days + 1);
    }

    function test_pause__renewed_without_a_gap__refused() public {
        pause(100);
        uint256 allowed = time() + 100 + 7 days;
        VM.prank(GOVERNOR);
        staking.resumeEntries();
        VM.warp(allowed - 1);
        VM.expectRevert(abi.encodeWithSelector(IStaking.PauseTooSoon.selector, allowed));
        pause(1);
        VM.warp(allowed);
        pause(1);
    }

    function test_resume__paused__opens_at_once() public {
        pause(100);
        VM.expectEmit(address(staking));
        emit IStaking.EntriesResumed();
        VM.prank(GOVERNOR);
        staking.resumeEntries();
        VM.assertEq(staking.entriesPausedUntil(), time());
        VM.prank(VOTER);
        staking.stake(CAI);
        pass(50);
        VM.prank(GOVERNOR);
        staking.resumeEntries();
        VM.assertEq(staking.entriesPausedUntil(), time() - 50);
    }

    function test_pause__neither_owner_nor_guardian__refused() public {
        bytes memory reason = abi.encodeWithSelector(IStaking.NotGuardian.selector, OWNER);
        expectError(reason);
        VM.prank(OWNER);
        staking.pauseEntries(1);
        expectError(reason);
        VM.prank(OWNER);
        staking.resumeEntries();
    }

    function test_transferOwnership__two_steps__then_new_owner() public {
        VM.prank(GOVERNOR);
        staking.transferOwnership(OTHER);
        VM.assertEq(staking.owner(), GOVERNOR);
        VM.prank(OTHER);
        staking.acceptOwnership();
        VM.assertEq(staking.owner(), OTHER);
    }
}

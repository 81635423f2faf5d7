// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {Fault, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract RewardsTest is StakingFixture {
    /// @dev What rounding may cost, in wei.
    uint256 private constant DUST = 1e7;

    function fund(uint256 amount, uint256 weiPerSecond) private {
        VM.prank(FUNDER);
        staking.fundReserve(amount);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(weiPerSecond);
    }

    function test_emission__two_miners__by_weight_and_60_percent() public {
        uint32 first = newNode(OWNER, Role.Miner, 20_000 * CAI);
        uint32 second = newNode(OTHER, Role.Miner, 60_000 * CAI);
        fund(1000 * CAI, CAI);
        pass(100);
        VM.assertApproxEqAbs(claimOf(first, Tranche.Own, OWNER), 15 * CAI, DUST);
        VM.assertApproxEqAbs(claimOf(second, Tranche.Own, OTHER), 45 * CAI, DUST);
        (, uint256 rate, uint256 reserve) = staking.roleOf(Role.Miner);
        VM.assertEq(rate, 0.6 ether);
        VM.assertEq(reserve, 540 * CAI);
    }

    function test_emission__coordinators__40_percent() public {
        uint32 node = newNode(OWNER, Role.Coordinator, 2_000_000 * CAI);
        fund(1000 * CAI, CAI);
        pass(100);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 40 * CAI, DUST);
        (,, uint256 miners) = staking.roleOf(Role.Miner);
        VM.assertEq(miners, 600 * CAI);
    }

    function test_emission__nobody_has_weight__time_is_skipped() public {
        fund(1000 * CAI, CAI);
        pass(100);
        uint32 node = newMiner();
        (,, uint256 reserve) = staking.roleOf(Role.Miner);
        VM.assertEq(reserve, 600 * CAI);
        pass(10);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 6 * CAI, DUST);
    }

    function test_emission__reserve_runs_out__stops_there() public {
        uint32 node = newMiner();
        fund(10 * CAI, CAI);
        pass(1000);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 6 * CAI, DUST);
        pass(1000);
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 0);
    }

    function test_emission__rate_changes__old_rate_until_then() public {
        uint32 node = newMiner();
        fund(1000 * CAI, CAI);
        pass(100);
        VM.expectEmit(address(staking));
        emit IStaking.EmissionRateChanged(0);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(0);
        pass(100);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 60 * CAI, DUST);
    }

    function test_emission__weight_lost__earns_nothing_from_then_on() public {
        uint32 node = newMiner();
        fund(1000 * CAI, CAI);
        pass(100);
        unvoteFrom(node, Tranche.Own, OWNER, 1);
        pass(100);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 60 * CAI, DUST);
    }

    function test_setEmissionRate__above_a_tenth_of_all_a_year_or_foreign__refused() public {
        uint256 limit = uint256(100_000_000 ether) / 365 days;
        VM.expectRevert(abi.encodeWithSelector(IStaking.EmissionRateTooHigh.selector, limit, limit + 1));
        VM.prank(GOVERNOR);
        staking.setEmissionRate(limit + 1);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(limit);
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, OWNER));
        VM.prank(OWNER);
        staking.setEmissionRate(0);
    }

    function test_fundReserve__zero__refused() public {
        VM.expectRevert(IStaking.AmountZero.selector);
        staking.fundReserve(0);
    }

    function test_fundReserve__odd_amount__nothing_is_lost() public {
        VM.expectEmit(address(staking));
        emit IStaking.ReserveFunded(FUNDER, 99);
        VM.prank(FUNDER);
        staking.fundReserve(99);
        (,, uint256 miners) = staking.roleOf(Role.Miner);
        (,, uint256 coordinators) = staking.roleOf(Role.Coordinator);
        VM.assertEq(miners, 59);
        VM.assertEq(coordinators, 40);
    }

    function test_fees__commission_first__then_by_active_stake() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 10_000 * CAI);
        voteFor(node, VOTER2, 30_000 * CAI);
        VM.expectEmit(address(staking));
        emit IStaking.FeesAdded(node, FUNDER, 600 * CAI);
        addFees(node, 600 * CAI);
        pass(60);
        // Of 600: 60 commission; of the rest a third each for 20,000 own and, together, two thirds for 40,000.
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 240 * CAI, DUST);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 90 * CAI, DUST);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER2), 270 * CAI, DUST);
    }

    function test_fees__halfway__half_is_paid() public {
        uint32 node = newMiner();
        addFees(node, 60 * CAI);
        pass(30);
        VM.expectEmit(address(staking));
        emit IStaking.Claimed(node, Tranche.Own, OWNER, 30 * CAI);
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 30 * CAI);
        pass(1000);
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 30 * CAI);
    }

    function test_fees__more_added__time_is_the_mean_weighed_by_amount() public {
        uint32 node = newMiner();
        addFees(node, 60 * CAI);
        pass(30);
        addFees(node, 30 * CAI);
        // 30 left for 30 s and 30 new for 60 s: 60 for 45 s.
        pass(15);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 50 * CAI, DUST);
        pass(29);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), uint256(40 * CAI) * 29 / 30, DUST);
        pass(1);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), uint256(40 * CAI) / 30, DUST);
    }

    function test_fees__dust_added_again_and_again__does_not_stretch_the_stream() public {
        uint32 node = newMiner();
        addFees(node, 60 * CAI);
        for (uint256 i = 0; i < 60; ++i) {
            pass(1);
            addFees(node, 1);
        }
        VM.assertGe(claimOf(node, Tranche.Own, OWNER), 60 * CAI - 60 * CAI / 1e6);
    }

    function test_fees__joining_a_second_before__earns_a_seconds_part() public {
        uint32 node = newMiner();
        addFees(node, 60 * CAI);
        pass(59);
        voteFor(node, VOTER, 20_000 * CAI);
        pass(1);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 0.45 ether, DUST);
    }

    function test_fees__nobody_active__they_wait() public {
        uint32 node = newMiner();
        unvoteFrom(node, Tranche.Own, OWNER, 20_000 * CAI);
        addFees(node, 60 * CAI);
        pass(1000);
        voteFor(node, VOTER, 100 * CAI);
        VM.assertEq(claimOf(node, Tranche.Votes, VOTER), 0);
        pass(30);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 27 * CAI, DUST);
    }

    function test_fees__less_than_1_cai_active__takes_no_rewards() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, CAI);
        unvoteFrom(node, Tranche.Votes, VOTER, 1);
        addFees(node, 60 * CAI);
        pass(60);
        VM.assertEq(claimOf(node, Tranche.Votes, VOTER), 0);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 60 * CAI, DUST);
    }

    function test_fees__unbonding__earns_nothing_and_keeps_what_it_earned() public {
        uint32 node = newMiner();
        uint256 shares = voteFor(node, VOTER, 20_000 * CAI);
        addFees(node, 120 * CAI);
        pass(30);
        unvoteFrom(node, Tranche.Votes, VOTER, shares);
        pass(30);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 27 * CAI, DUST);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 93 * CAI, DUST);
    }

    function test_fees__vote_and_part_of_it_out_again__rewards_are_exact() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 20_000 * CAI);
        addFees(node, 120 * CAI);
        pass(15);
        voteFor(node, VOTER, 20_000 * CAI);
        pass(15);
        unvoteFrom(node, Tranche.Votes, VOTER, 30_000 * CAI);
        pass(30);
        // 27 x 1/2, then 27 x 2/3, then 54 x 1/3.
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 49.5 ether, DUST);
    }

    function test_addFees__zero_or_unknown_node__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(IStaking.AmountZero.selector);
        addFees(node, 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        addFees(9, 1);
    }

    function test_claim__not_the_owner_or_unknown__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, VOTER));
        claimOf(node, Tranche.Own, VOTER);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        claimOf(9, Tranche.Votes, VOTER);
    }

    function test_claim__twice__second_is_empty() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 20_000 * CAI);
        addFees(node, 60 * CAI);
        pass(60);
        uint256 before = token.balanceOf(VOTER);
        uint256 amount = claimOf(node, Tranche.Votes, VOTER);
        VM.assertEq(token.balanceOf(VOTER), before + amount);
        VM.assertEq(claimOf(node, Tranche.Votes, VOTER), 0);
    }

    function wipe(uint32 node) private {
        for (uint256 i = 0; i < 30; ++i) {
            slashNode(node, Fault.Equivocation, 1000 + i, 0);
        }
    }

    function test_wipe__own__what_was_earned_before_stays() public {
        uint32 node = newMiner();
        addFees(node, 60 * CAI);
        pass(60);
        wipe(node);
        VM.assertEq(rowOf(node).own.generation, 1);
        VM.assertEq(rowOf(node).own.tokens, 0);
        VM.assertEq(staking.activeShares(node, Tranche.Own, OWNER), 0);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Own, OWNER), 60 * CAI, DUST);
        VM.prank(OWNER);
        VM.assertEq(staking.vote(node, Tranche.Own, 20_000 * CAI, 0), 20_000 * CAI);
        pass(20);
        VM.prank(OWNER);
        staking.unjail(node);
        VM.assertEq(weightOf(node), 20_000 * CAI);
    }

    function test_claimWiped__not_wiped_or_unknown__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotWiped.selector, node, 0));
        staking.claimWiped(node, 0);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        staking.claimWiped(9, 0);
    }

    /// @dev 405 judged slashes bring a tranche below a billionth.
    function test_claimWiped__votes_wiped__pays_what_was_earned_before() public {
        uint32 node = newNode(OWNER, Role.Miner, 40_000_000 * CAI);
        voteFor(node, VOTER, 40_000_000 * CAI);
        addFees(node, 600 * CAI);
        pass(60);
        uint256 faultId = 1;
        while (rowOf(node).votes.generation == 0) {
            pass(7 days);
            slashNode(node, Fault.Judged, faultId++, 0);
            VM.assertLe(faultId, 420);
        }
        VM.assertEq(rowOf(node).votes.tokens, 0);
        VM.assertEq(rowOf(node).votes.shares, 0);
        VM.assertEq(claimOf(node, Tranche.Votes, VOTER), 0);
        uint256 before = token.balanceOf(VOTER);
        VM.prank(VOTER);
        uint256 amount = staking.claimWiped(node, 0);
        VM.assertApproxEqAbs(amount, 270 * CAI, DUST);
        VM.assertEq(token.balanceOf(VOTER), before + amount);
        VM.prank(VOTER);
        VM.assertEq(staking.claimWiped(node, 0), 0);
        VM.assertEq(voteFor(node, VOTER, 5 * CAI), 5 * CAI);
    }

    function testFuzz_rewards__any_order__never_more_than_came_in(
        uint96[6] memory amounts,
        uint16[6] memory waits,
        uint8 order
    ) public {
        uint32 node = newMiner();
        fund(10_000 * CAI, 2 * CAI);
        uint256 fees;
        for (uint256 i = 0; i < 6; ++i) {
            pass(uint256(waits[i]) % 500);
            uint256 amount = CAI + uint256(amounts[i]) % (1_000_000 * CAI);
            address voter = (order >> i) & 1 == 0 ? VOTER : VOTER2;
            if (i % 3 == 2) {
                uint256 held = staking.activeShares(node, Tranche.Votes, voter);
                if (held > 0) unvoteFrom(node, Tranche.Votes, voter, 1 + amount % held);
            } else {
                voteFor(node, voter, amount);
            }
            addFees(node, amount / 1000);
            fees += amount / 1000;
        }
        pass(10_000_000);
        uint256 paid = claimOf(node, Tranche.Own, OWNER) + claimOf(node, Tranche.Votes, VOTER)
            + claimOf(node, Tranche.Votes, VOTER2);
        (,, uint256 reserve) = staking.roleOf(Role.Miner);
        VM.assertEq(reserve, 0);
        VM.assertLe(paid, fees + 6000 * CAI);
        VM.assertGe(paid + 1e12, fees + 6000 * CAI);
    }
}

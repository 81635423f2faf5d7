// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @dev Every rounding to the wei: in favour of those who stay, and what is left is kept, not lost.
contract RoundingTest is StakingFixture {
    uint32 private node;

    function setUp() public override {
        super.setUp();
        node = newMiner();
    }

    /// @dev 20,000 CAI of own stake lose 5 %: from now on 20 shares are worth 19 wei.
    function slashed() private {
        slashNode(node, Fault.Judged, 1, 0);
    }

    function voteOwn(uint256 amount) private returns (uint256) {
        VM.prank(OWNER);
        return staking.vote(node, Tranche.Own, amount, 0);
    }

    function test_vote__shares_do_not_come_out_even__rounded_down() public {
        slashed();
        // 20 / 19 of it end with .105 wei
        VM.assertEq(voteOwn(CAI + 1), 1_052_631_578_947_368_422);
        // and 20 / 19 of this with .05.
        VM.assertEq(voteOwn(CAI), 1_052_631_578_947_368_421);
    }

    function test_release__tokens_do_not_come_out_even__rounded_down() public {
        slashed();
        uint256 idle = staking.idleStake(OWNER);
        uint256 bucket = unvoteFrom(node, Tranche.Own, OWNER, 21);
        pass(300);
        // 21 x 19 / 20 = 19.95
        VM.assertEq(staking.release(node, Tranche.Own, OWNER, bucket), 19);
        VM.assertEq(staking.idleStake(OWNER), idle + 19);
        VM.assertEq(rowOf(node).own.tokens, 19_000 * CAI - 19);
    }

    /// @dev 20,000 CAI of shares take whole multiples of 20,000 wei; commission takes a tenth before.
    function test_fees__too_small_for_a_share__kept_until_they_are_enough() public {
        for (uint256 i = 0; i < 111; ++i) {
            addFees(node, 1000);
            pass(60);
        }
        // 111 x 100 of commission; of 111 x 900 four times 20,000, and 19,900 are kept.
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 11_100 + 80_000);
        addFees(node, 112);
        pass(60);
        // 11 of commission; 101 more make the kept ones enough.
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 11 + 20_000);
    }

    /// @dev 20,000 CAI of weight take whole multiples of 20,000 wei of emission; miners get 6 wei a second.
    function test_emission__too_little_for_a_wei_of_weight__kept_until_it_is_enough() public {
        VM.prank(FUNDER);
        staking.fundReserve(CAI);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(10);
        for (uint256 i = 0; i < 100; ++i) {
            pass(100);
            staking.poke(node);
        }
        // Three times 20,000 came: 2,000 of commission each; of three times 18,000 twice 20,000 could be shared out.
        VM.assertEq(claimOf(node, Tranche.Own, OWNER), 6000 + 40_000);
        (,, uint256 reserve) = staking.roleOf(Role.Miner);
        VM.assertEq(reserve, CAI * 60 / 100 - 60_000);
    }
}

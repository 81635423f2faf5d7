// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NodeView, Role, Tranche} from "../../src/interfaces/StakingTypes.sol";
import {DisputeActions} from "./DisputeActions.sol";

/// @title Everybody, doing anything: one entry for the fuzzer.
contract Everybody is DisputeActions {
    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;
    uint256 private constant ACTIONS = 50;

    /// @dev How many kinds of success there are.
    uint256 private constant KINDS = 43;

    /// @dev What sharing the emission among all weight of a role can leave each time, in wei: 10^26 of weight / 10^18.
    uint256 private constant EMISSION_DUST = 1e8;

    /// @dev What cannot be expressed per share stays with a node: less than a wei for so many shares.
    uint256 private constant SHARE_UNIT = 1e18;

    function setUp() public override {
        super.setUp();
        settleDown();
    }

    /// @notice Somebody does something, and the running dispute goes two steps further.
    function act(uint256 what, uint256 a, uint256 b, uint256 c) external {
        what = what % ACTIONS;
        if (what < 20) stakingAction(what, a, b, c);
        else moneyAction(what, a, b, c);
        advance(uint256(keccak256(abi.encode(a, b, c))));
        advance(uint256(keccak256(abi.encode(c, b, a))));
        operatorsStay(a);
    }

    function stakingAction(uint256 what, uint256 a, uint256 b, uint256 c) private {
        if (what == 0) stake(a, b);
        else if (what == 1) unstake(a, b);
        else if (what == 2) register(a);
        else if (what == 3) rotate(a);
        else if (what < 6) handOver(a, b);
        else if (what < 8) setCommission(a, b);
        else if (what == 8) vote(a, b, c);
        else if (what == 9) unvote(a, b, c);
        else if (what < 12) revote(a, b);
        else if (what < 14) release(a, b % 4 == 0);
        else if (what < 16) poke(a);
        else if (what == 16) unjail(a);
        else if (what == 17) roundTrip(a, b, c);
        else wait(a);
    }

    function moneyAction(uint256 what, uint256 a, uint256 b, uint256 c) private {
        if (what == 20) fundReserve(a, b);
        else if (what == 21) setEmissionRate(a);
        else if (what == 22) addFees(a, b, c);
        else if (what < 25) claim(a, b);
        else if (what < 28) slash(a, b % 2 == 0, c);
        else if (what < 30) penalise(a, b);
        else if (what < 32) put(a, b);
        else if (what == 32) putMany(a, b);
        else if (what < 35) thaw(a, b);
        else if (what < 38) withdrawThawed(a, b % 2 == 0);
        else if (what < 40) redeem(a, b);
        else if (what < 43) passFees(a);
        else if (what < 45) proveReceipts(a, b);
        else if (what == 45) proveHeads(a, b);
        else if (what == 46) ruin(a);
        else if (what == 47) strangeVoucher(a, b);
        else if (what == 48) slash(a, false, c);
        else if (b % 2 == 0) ruinVotes(a);
    }

    /// @notice What must hold at any time, over all that is small enough to be looked at each time.
    function check(uint256 seed) external {
        escrowAddsUp();
        sharesAddUp(nodeBy(seed));
        if (seed % 200 == 0) VM.assertEq(token.balanceOf(address(staking)), principal() + rewardsIn - rewardsOut);
    }

    /// @notice Everybody takes everything out, while entries are paused: all of it is there, and nothing but dust is left.
    function everybodyLeaves() external {
        VM.assertEq(token.balanceOf(address(staking)), principal() + rewardsIn - rewardsOut);
        uint256 dust = allSuccesses * EMISSION_DUST;
        for (uint256 i = 0; i < everyNode.length; ++i) {
            awaken(everyNode[i]);
            dust += 2 + mostShares[everyNode[i]] / SHARE_UNIT;
        }
        VM.prank(GOVERNOR);
        staking.pauseEntries(7 days);
        pass(70);
        for (uint256 i = 0; i < everyNode.length; ++i) {
            goFrom(everyNode[i]);
        }
        for (uint256 i = 0; i < buckets.length; ++i) {
            if (time() < buckets[i].index * 10) VM.warp(buckets[i].index * 10);
        }
        for (uint256 seed = 0; buckets.length > 0; ++seed) {
            (bool found, uint256 i) = bucketBy(seed);
            if (found) releaseFrom(buckets[i]);
        }
        for (uint256 i = 0; i < ACTORS; ++i) {
            uint256 idle = staking.idleStake(actors[i]);
            VM.prank(actors[i]);
            if (idle > 0) staking.unstake(idle);
        }
        (,, uint256 miners) = staking.roleOf(Role.Miner);
        (,, uint256 coordinators) = staking.roleOf(Role.Coordinator);
        uint256 left = token.balanceOf(address(staking)) - miners - coordinators;
        say("left in Staking beside the reserve, in wei", left);
        say("and may be left", dust);
        VM.assertLe(left, dust);
    }

    /// @dev Fees of a node without stake wait for somebody: here is one.
    function awaken(uint32 node) private {
        NodeView memory row = staking.nodeOf(node);
        if (row.own.activeTokens >= 2 * CAI || row.votes.activeTokens >= 2 * CAI) return;
        address actor = actors[0];
        if (staking.idleStake(actor) < 10 * CAI) {
            VM.prank(actor);
            staking.stake(1000 * CAI);
        }
        voteAs(node, Tranche.Votes, actor, 10 * CAI);
        weighs(staking.nodeOf(node));
    }

    function goFrom(uint32 node) private {
        address owner = ownerOf(node);
        VM.prank(owner);
        staking.claim(node, Tranche.Own);
        for (uint256 i = 0; i < ACTORS; ++i) {
            claimAllWiped(node, actors[i]);
            leaveAs(node, Tranche.Votes, actors[i]);
        }
        leaveAs(node, Tranche.Own, owner);
        weighs(staking.nodeOf(node));
    }

    function claimAllWiped(uint32 node, address actor) private {
        uint32 present = staking.nodeOf(node).votes.generation;
        for (uint32 generation = 0; generation < present; ++generation) {
            VM.prank(actor);
            staking.claimWiped(node, generation);
        }
    }

    function leaveAs(uint32 node, Tranche tranche, address holder) private {
        uint256 shares = staking.activeShares(node, tranche, holder);
        if (shares == 0 && tranche == Tranche.Own) return;
        VM.prank(holder);
        staking.claim(node, tranche);
        if (shares > 0) unvoteAs(node, tranche, holder, shares);
    }

    /// @notice Prints how often each action succeeded; fails if any did less than `least` times (zero: never).
    function report(uint256 least) external view {
        bool enough = least == 0 || actionNames.length == KINDS;
        for (uint256 i = 0; i < actionNames.length; ++i) {
            say(actionNames[i], successes[actionNames[i]]);
            enough = enough && (successes[actionNames[i]] >= least);
        }
        VM.assertTrue(enough);
    }

    function say(string memory what, uint256 number) private view {
        // slither-disable-next-line low-level-calls -- the console of the test runner
        (bool heard,) = CONSOLE.staticcall(abi.encodeWithSignature("log(string,uint256)", what, number));
        VM.assertTrue(heard);
    }
}

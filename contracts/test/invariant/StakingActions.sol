// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, NodeView, Registration, Role, Tranche} from "../../src/interfaces/StakingTypes.sol";
import {World} from "./World.sol";

/// @title What owners, voters, slashers and the governor do.
abstract contract StakingActions is World {
    uint256 internal rewardsIn;
    uint256 internal rewardsOut;
    bytes32[] internal faults;

    function between(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + seed % (high - low + 1);
    }

    function stake(uint256 who, uint256 amount) internal {
        address actor = actorBy(who);
        amount = between(amount, 1, 1_000_000 * CAI);
        if (token.balanceOf(actor) < amount) return;
        VM.prank(actor);
        staking.stake(amount);
        done("stake");
    }

    function unstake(uint256 who, uint256 amount) internal {
        address actor = actorBy(who);
        uint256 idle = staking.idleStake(actor);
        if (idle == 0) return;
        VM.prank(actor);
        staking.unstake(between(amount, 1, idle < 1_000_000 * CAI ? idle : 1_000_000 * CAI));
        done("unstake");
    }

    function register(uint256 who) internal {
        Role role = who % 40 == 0 ? Role.Coordinator : Role.Miner;
        registerAs(actorBy(who / 40), role, role == Role.Miner ? 20_000 * CAI : 2_000_000 * CAI);
    }

    function registerAs(address owner, Role role, uint256 amount) internal returns (uint32 node) {
        if (staking.idleStake(owner) < amount) return 0;
        uint256 key = nextKey();
        Registration memory r = registration(owner, role, amount, key);
        VM.prank(owner);
        node = staking.register(r);
        known(node, key);
        weighs(staking.nodeOf(node));
        done("register");
    }

    function rotate(uint256 which) internal {
        uint32 node = nodeBy(which);
        uint256 key = nextKey();
        (address owner, Role role) = staking.ownerOf(node);
        bytes memory agreed = consent(owner, role, key, time() + 60);
        VM.prank(owner);
        staking.rotateOperator(node, VM.addr(key), time() + 60, agreed);
        operates(node, key);
        done("rotateOperator");
    }

    function handOver(uint256 which, uint256 to) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        address heir = actorBy(to);
        VM.prank(ownerOf(node));
        staking.transferOwner(node, heir);
        VM.prank(heir);
        staking.acceptOwner(node);
        done("acceptOwner");
    }

    function setCommission(uint256 which, uint256 bps) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        NodeView memory row = staking.nodeOf(node);
        uint256 most = row.commissionBps + 500 < row.maxCommissionBps ? row.commissionBps + 500 : row.maxCommissionBps;
        VM.prank(row.owner);
        // forge-lint: disable-next-line(unsafe-typecast)
        staking.setCommission(node, uint16(bps % (most + 1))); // at most 10,000
        done("setCommission");
    }

    // ------------------------------------------------------------------------------------------------------- votes

    function vote(uint256 which, uint256 who, uint256 amount) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        bool own = who % 3 == 0;
        address actor = own ? ownerOf(node) : actorBy(who / 3);
        amount = between(amount, CAI, 300_000 * CAI);
        if (staking.idleStake(actor) < amount) return;
        voteAs(node, own ? Tranche.Own : Tranche.Votes, actor, amount);
    }

    function voteAs(uint32 node, Tranche tranche, address actor, uint256 amount) internal returns (uint256 shares) {
        VM.prank(actor);
        shares = staking.vote(node, tranche, amount, 0);
        done("vote");
    }

    function unvote(uint256 which, uint256 who, uint256 part) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        (Tranche tranche, address holder) = holderBy(node, who);
        uint256 held = staking.activeShares(node, tranche, holder);
        if (held == 0) return;
        unvoteAs(node, tranche, holder, between(part, 1, held));
    }

    /// @dev The owner one time of four, else somebody who voted, if there is one.
    function holderBy(uint32 node, uint256 seed) internal view returns (Tranche, address) {
        if (seed % 4 == 0) return (Tranche.Own, ownerOf(node));
        for (uint256 i = 0; i < ACTORS; ++i) {
            address actor = actorBy(seed / 4 + i);
            if (staking.activeShares(node, Tranche.Votes, actor) > 0) return (Tranche.Votes, actor);
        }
        return (Tranche.Own, ownerOf(node));
    }

    function unvoteAs(uint32 node, Tranche tranche, address holder, uint256 shares) internal {
        VM.prank(holder);
        uint256 index = staking.unvote(node, tranche, shares);
        NodeView memory row = staking.nodeOf(node);
        uint32 generation = tranche == Tranche.Own ? row.own.generation : row.votes.generation;
        waiting[node][tranche][generation] += shares;
        Bucket memory b = Bucket({
            node: node, tranche: tranche, holder: holder, generation: generation, index: index, unvotedAt: time()
        });
        uint256 place = placeOf[nameOf(b)];
        if (place == 0) {
            buckets.push(b);
            placeOf[nameOf(b)] = buckets.length;
        } else {
            buckets[place - 1].unvotedAt = time();
        }
        done("unvote");
    }

    /// @dev Own buckets are the node's, whoever owns it.
    function nameOf(Bucket memory b) private pure returns (bytes32) {
        address holder = b.tranche == Tranche.Own ? address(0) : b.holder;
        return keccak256(abi.encode(b.node, b.tranche, holder, b.generation, b.index));
    }

    function revote(uint256 which, uint256 part) internal {
        (bool found, uint256 i) = bucketBy(which);
        if (found) revoteFrom(buckets[i], part);
    }

    function revoteFrom(Bucket memory b, uint256 part) private honest(b.node) {
        uint256 shares = between(part, 1, waitingIn(b));
        VM.prank(b.tranche == Tranche.Own ? ownerOf(b.node) : b.holder);
        staking.revote(b.node, b.tranche, shares, b.index);
        waiting[b.node][b.tranche][b.generation] -= shares;
        done("revote");
    }

    /// @dev A bucket with shares in it. Those that are found empty, or of a wiped generation, are forgotten.
    function bucketBy(uint256 seed) internal returns (bool, uint256) {
        while (buckets.length > 0) {
            uint256 i = seed % buckets.length;
            NodeView memory row = staking.nodeOf(buckets[i].node);
            uint32 generation = buckets[i].tranche == Tranche.Own ? row.own.generation : row.votes.generation;
            if (buckets[i].generation == generation && waitingIn(buckets[i]) > 0) return (true, i);
            delete placeOf[nameOf(buckets[i])];
            Bucket memory last = buckets[buckets.length - 1];
            buckets.pop();
            if (i == buckets.length) continue;
            buckets[i] = last;
            placeOf[nameOf(last)] = i + 1;
        }
        return (false, 0);
    }

    /// @dev Nothing comes free before the unbonding time; when it is over, it does.
    function release(uint256 which, bool patient) internal {
        (bool found, uint256 i) = bucketBy(which);
        if (!found) return;
        if (patient && time() < buckets[i].index * 10) VM.warp(buckets[i].index * 10);
        releaseFrom(buckets[i]);
    }

    function releaseFrom(Bucket memory b) internal honest(b.node) {
        address to = b.tranche == Tranche.Own ? ownerOf(b.node) : b.holder;
        if (time() < b.index * 10) {
            VM.expectPartialRevert(bytes4(keccak256("BucketNotReached(uint256,uint256)")));
            staking.release(b.node, b.tranche, to, b.index);
            return;
        }
        uint256 before = staking.idleStake(to);
        waiting[b.node][b.tranche][b.generation] -= waitingIn(b);
        uint256 amount = staking.release(b.node, b.tranche, to, b.index);
        VM.assertEq(staking.idleStake(to), before + amount);
        VM.assertGe(time(), b.unvotedAt + 240);
        done("release");
    }

    function poke(uint256 which) internal honest(nodeBy(which)) {
        staking.poke(nodeBy(which));
        done("poke");
    }

    function unjail(uint256 which) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        uint256 until = staking.nodeOf(node).jailedUntil;
        if (until == 0) return;
        if (time() < until) VM.warp(until);
        VM.prank(ownerOf(node));
        staking.unjail(node);
        done("unjail");
    }

    /// @dev In and out at once: nothing is gained by it, in stake or in rewards.
    function roundTrip(uint256 which, uint256 who, uint256 amount) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        address actor = actorBy(who);
        amount = between(amount, CAI, 100_000 * CAI);
        if (staking.idleStake(actor) < amount) return;
        VM.prank(actor);
        rewardsOut += staking.claim(node, Tranche.Votes);
        uint256 shares = voteAs(node, Tranche.Votes, actor, amount);
        VM.prank(actor);
        VM.assertEq(staking.claim(node, Tranche.Votes), 0);
        NodeView memory row = staking.nodeOf(node);
        VM.assertLe(shares * row.votes.tokens / row.votes.shares, amount);
        unvoteAs(node, Tranche.Votes, actor, shares);
        done("round trip");
    }

    // ----------------------------------------------------------------------------------------------------- rewards

    function fundReserve(uint256 who, uint256 amount) internal {
        address actor = actorBy(who);
        amount = between(amount, 2, 10_000 * CAI);
        if (token.balanceOf(actor) < amount) return;
        VM.prank(actor);
        staking.fundReserve(amount);
        rewardsIn += amount;
        done("fundReserve");
    }

    function setEmissionRate(uint256 rate) internal {
        VM.prank(GOVERNOR);
        staking.setEmissionRate(rate % (3 * CAI));
        done("setEmissionRate");
    }

    function addFees(uint256 which, uint256 who, uint256 amount) internal honest(nodeBy(which)) {
        address actor = actorBy(who);
        amount = between(amount, 1, 10_000 * CAI);
        if (token.balanceOf(actor) < amount) return;
        VM.prank(actor);
        staking.addFees(nodeBy(which), amount);
        rewardsIn += amount;
        done("addFees");
    }

    function claim(uint256 which, uint256 who) internal honest(nodeBy(which)) {
        uint32 node = nodeBy(which);
        (Tranche tranche, address holder) = holderBy(node, who);
        uint256 before = token.balanceOf(holder);
        VM.prank(holder);
        uint256 amount = staking.claim(node, tranche);
        VM.assertEq(token.balanceOf(holder), before + amount);
        VM.prank(holder);
        VM.assertEq(staking.claim(node, tranche), 0);
        rewardsOut += amount;
        VM.assertLe(rewardsOut, rewardsIn);
        done("claim");
    }

    // ---------------------------------------------------------------------------------------------------- slashing

    /// @dev Takes what the rules say, from active and unbonding shares alike; a second time for one fault nothing.
    function slash(uint256 which, bool equivocation, uint256 payout) internal {
        uint32 node = nodeBy(which);
        Fault fault = equivocation ? Fault.Equivocation : Fault.Judged;
        bytes32 faultId = keccak256(abi.encode("fault", faults.length));
        NodeView memory before = staking.nodeOf(node);
        VM.prank(SLASHER);
        (uint256 own, uint256 votes, uint256 paid) = staking.slash(node, fault, faultId, payout % (1000 * CAI));
        faults.push(faultId);
        slashedRight(before, staking.nodeOf(node), equivocation, own, votes, paid);
        VM.prank(SLASHER);
        (uint256 again,, uint256 paidAgain) = staking.slash(node, fault, faultId, payout);
        VM.assertEq(again + paidAgain, 0);
        done(equivocation ? "slash, equivocation" : "slash, judged");
    }

    function slashedRight(
        NodeView memory before,
        NodeView memory row,
        bool equivocation,
        uint256 own,
        uint256 votes,
        uint256 paid
    ) internal {
        uint256 twentieth = before.own.tokens / 20;
        if (equivocation) {
            VM.assertEq(own, before.own.tokens / 2);
            VM.assertEq(votes, 0);
        } else if (own + votes > 0) {
            VM.assertEq(own, twentieth);
            uint256 most = before.votes.tokens / 20;
            VM.assertEq(votes, most < 10 * twentieth ? most : 10 * twentieth);
        }
        VM.assertLe(paid, own / 2);
        if (row.own.generation == before.own.generation) {
            VM.assertEq(row.own.tokens, before.own.tokens - own);
            VM.assertEq(row.own.shares, before.own.shares);
            VM.assertEq(row.own.activeShares, before.own.activeShares);
        } else {
            VM.assertEq(row.own.generation, before.own.generation + 1);
            VM.assertEq(row.own.tokens + row.own.shares + row.own.activeShares, 0);
            done("wipe");
        }
        VM.assertEq(row.votes.tokens, before.votes.tokens - votes);
        VM.assertEq(row.votes.shares, before.votes.shares);
        VM.assertGt(row.jailedUntil, 0);
        VM.assertEq(row.weight, 0);
        weighs(row);
    }

    function penalise(uint256 which, uint256 amount) internal {
        uint32 node = nodeBy(which);
        NodeView memory before = staking.nodeOf(node);
        amount = between(amount, 1, 2000 * CAI);
        VM.prank(SLASHER);
        uint256 own = staking.penalise(node, amount);
        VM.assertEq(own, amount < before.own.tokens / 20 ? amount : before.own.tokens / 20);
        NodeView memory row = staking.nodeOf(node);
        VM.assertEq(row.own.shares, before.own.shares);
        weighs(row);
        done("penalise");
    }

    // -------------------------------------------------------------------------------------------------------- time

    function wait(uint256 seconds_) internal {
        pass(between(seconds_, 1, 8));
        done("wait");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, NodeView, Registration, Role, Tranche, TrancheView} from "../../src/interfaces/StakingTypes.sol";
import {World} from "./World.sol";

/// @title What owners, voters, slashers and the governor do.
abstract contract StakingActions is World {
    uint256 internal rewardsIn;
    uint256 internal rewardsOut;
    uint256 private _faults;

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
        retire();
        Role role = who % 40 == 0 ? Role.Coordinator : Role.Miner;
        registerAs(actorBy(who / 40), role, role == Role.Miner ? 20_000 * CAI : 2_000_000 * CAI);
    }

    /// @dev Of the nodes beyond the first eight the latest few stay, so that the first are not lost among them.
    function retire() private {
        if (everyNode.length < 12) return;
        uint32 node = everyNode[everyNode.length - 4];
        uint256 held = staking.activeShares(node, Tranche.Own, ownerOf(node));
        if (held > 0) unvoteAs(node, Tranche.Own, ownerOf(node), held);
        weighs(staking.nodeOf(node));
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
        address owner = ownerOf(node);
        uint256 before = staking.idleStake(owner);
        VM.prank(owner);
        staking.transferOwner(node, heir);
        VM.prank(heir);
        staking.acceptOwner(node);
        rewardsOut += staking.idleStake(owner) - before;
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
        address holder = b.tranche == Tranche.Own ? ownerOf(b.node) : b.holder;
        VM.startPrank(holder);
        rewardsOut += staking.claim(b.node, b.tranche);
        staking.revote(b.node, b.tranche, shares, b.index);
        VM.assertEq(staking.claim(b.node, b.tranche), 0);
        VM.stopPrank();
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
        addFeesTo(nodeBy(which), actor, amount);
    }

    function addFeesTo(uint32 node, address from, uint256 amount) private {
        VM.prank(from);
        staking.addFees(node, amount);
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

    function slash(uint256 which, bool equivocation, uint256 payout) internal {
        uint256 own = slashOnce(nodeBy(which), equivocation, payout % (1000 * CAI));
        if (own > 0) done(equivocation ? "slash, equivocation" : "slash, judged");
    }

    /// @dev Takes what the rules say, from active and unbonding shares alike; a second time for one fault nothing.
    function slashOnce(uint32 node, bool equivocation, uint256 payout) internal returns (uint256 own) {
        Fault fault = equivocation ? Fault.Equivocation : Fault.Judged;
        bytes32 faultId = keccak256(abi.encode("fault", ++_faults));
        NodeView memory before = staking.nodeOf(node);
        uint256 votes;
        uint256 paid;
        VM.prank(SLASHER);
        (own, votes, paid) = staking.slash(node, fault, faultId, payout);
        (uint256 ownLoss, uint256 votesLoss) = lossOf(before, equivocation, equivocation || mayLose(node));
        VM.assertEq(own, ownLoss);
        VM.assertEq(votes, votesLoss);
        VM.assertEq(paid, payout < own / 2 ? payout : own / 2);
        slashedRight(before, own, votes);
        VM.prank(SLASHER);
        (uint256 again, uint256 votesAgain, uint256 paidAgain) = staking.slash(node, fault, faultId, payout);
        VM.assertEq(again + votesAgain + paidAgain, 0);
    }

    function lossOf(NodeView memory before, bool equivocation, bool any) internal pure returns (uint256, uint256) {
        if (!any) return (0, 0);
        if (equivocation) return (before.own.tokens / 2, 0);
        uint256 own = before.own.tokens / 20;
        uint256 votes = before.votes.tokens / 20;
        return (own, votes < 10 * own ? votes : 10 * own);
    }

    function slashedRight(NodeView memory before, uint256 own, uint256 votes) internal {
        NodeView memory row = staking.nodeOf(before.id);
        lost(before.own, row.own, own);
        lost(before.votes, row.votes, votes);
        VM.assertGt(row.jailedUntil, time());
        VM.assertEq(row.weight, 0);
        weighs(row);
    }

    /// @dev A tranche lost so many tokens and no share, or is wiped, if hardly a token was left for a share.
    function lost(TrancheView memory before, TrancheView memory tranche, uint256 loss) private {
        if ((before.tokens - loss) * 1e9 >= before.shares) {
            VM.assertEq(tranche.generation, before.generation);
            VM.assertEq(tranche.tokens, before.tokens - loss);
            VM.assertEq(tranche.shares, before.shares);
            VM.assertEq(tranche.activeShares, before.activeShares);
        } else {
            VM.assertEq(tranche.generation, before.generation + 1);
            VM.assertEq(tranche.tokens + tranche.shares + tranche.activeShares, 0);
            done("wipe");
        }
    }

    /// @dev Slashes the own tranche of a node of no importance until it is wiped.
    function ruin(uint256 which) internal {
        if (everyNode.length < 9) return;
        uint32 node = everyNode[8 + which % (everyNode.length - 8)];
        keepOwn(node, CAI);
        uint256 generation = staking.nodeOf(node).own.generation;
        while (staking.nodeOf(node).own.generation == generation) slashOnce(node, true, 0);
    }

    /// @dev Everybody votes for such a node, which earns; juries convict it for years, until all votes are wiped. What was
    /// earned is paid, once.
    function ruinVotes(uint256 which) internal {
        if (everyNode.length < 9) return;
        uint32 node = everyNode[8 + which % (everyNode.length - 8)];
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (staking.idleStake(actors[i]) >= 10 * CAI) voteAs(node, Tranche.Votes, actors[i], 10 * CAI);
        }
        addFeesTo(node, actorBy(which), 100 * CAI);
        NodeView memory row = staking.nodeOf(node);
        if (row.votes.tokens < CAI) return;
        uint32 generation = row.votes.generation;
        while (row.votes.generation == generation) {
            pass(4 days);
            keepOwn(node, row.votes.tokens / 10);
            slashOnce(node, false, 0);
            row = staking.nodeOf(node);
        }
        for (uint256 i = 0; i < ACTORS; ++i) {
            VM.startPrank(actors[i]);
            uint256 amount = staking.claimWiped(node, generation);
            VM.assertEq(staking.claimWiped(node, generation), 0);
            VM.stopPrank();
            rewardsOut += amount;
            if (amount > 0) done("claimWiped");
        }
    }

    /// @dev Sees to it that a node has so much stake of its own.
    function keepOwn(uint32 node, uint256 least) private {
        NodeView memory row = staking.nodeOf(node);
        if (row.own.tokens > least) return;
        uint256 amount = least + CAI;
        if (staking.idleStake(row.owner) < amount) {
            VM.prank(row.owner);
            staking.stake(amount);
        }
        voteAs(node, Tranche.Own, row.owner, amount);
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

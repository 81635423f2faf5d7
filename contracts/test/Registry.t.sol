// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {NodeView, Registration, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract RegistryTest is StakingFixture {
    uint256 private constant NEW_KEY = 0xB0B;

    function register(Registration memory r) private returns (uint32) {
        VM.prank(OWNER);
        return staking.register(r);
    }

    function registerRefused(Registration memory r, bytes memory reason) private {
        VM.expectRevert(reason);
        register(r);
    }

    function valid() private view returns (Registration memory) {
        return registration(OWNER, Role.Miner, 20_000 * CAI, NEW_KEY);
    }

    function rotate(uint32 node, uint256 key) private {
        bytes memory signature = consent(OWNER, Role.Miner, key, time());
        VM.prank(OWNER);
        staking.rotateOperator(node, VM.addr(key), time(), signature);
    }

    function moveTo(uint32 node, address newOwner) private {
        VM.prank(OWNER);
        staking.transferOwner(node, newOwner);
        VM.prank(newOwner);
        staking.acceptOwner(node);
    }

    function test_register__miner__has_own_stake_and_weight() public {
        Registration memory r = valid();
        VM.expectEmit(address(staking));
        emit IStaking.Registered(1, Role.Miner, OWNER, r.operator, 20_000 * CAI, 1000, 2000, r.introduction);
        uint32 id = register(r);
        VM.assertEq(id, 1);
        NodeView memory row = rowOf(id);
        VM.assertEq(row.owner, OWNER);
        VM.assertEq(row.operator, VM.addr(NEW_KEY));
        VM.assertEq(row.payee, OWNER);
        VM.assertEq(row.weight, 20_000 * CAI);
        VM.assertEq(row.floor, 20_000 * CAI);
        VM.assertEq(row.own.tokens, 20_000 * CAI);
        VM.assertEq(row.own.activeShares, 20_000 * CAI);
        VM.assertEq(row.own.activeTokens, 20_000 * CAI);
        VM.assertEq(row.votes.tokens, 0);
        VM.assertEq(row.introductionBlock, 100);
        VM.assertEq(staking.idleStake(OWNER), 50_000_000 * CAI - 20_000 * CAI);
        VM.assertEq(staking.activeShares(id, Tranche.Own, address(0)), 20_000 * CAI);
    }

    function test_register__coordinator__numbered_on() public {
        VM.assertEq(newMiner(), 1);
        VM.assertEq(newNode(OTHER, Role.Coordinator, 2_000_000 * CAI), 2);
        VM.assertEq(uint256(rowOf(2).role), 1);
        VM.assertEq(weightOf(2), 2_000_000 * CAI);
    }

    function test_register__stake_too_low__refused_with_the_minimum() public {
        Registration memory r = valid();
        r.amount = 20_000 * CAI - 1;
        registerRefused(r, abi.encodeWithSelector(IStaking.StakeTooLow.selector, 20_000 * CAI, r.amount));
        r.role = Role.Coordinator;
        registerRefused(r, abi.encodeWithSelector(IStaking.StakeTooLow.selector, 2_000_000 * CAI, r.amount));
    }

    function test_register__idle_stake_too_low__refused() public {
        Registration memory r = valid();
        r.amount = 50_000_001 * CAI;
        registerRefused(
            r, abi.encodeWithSelector(IStaking.IdleStakeTooLow.selector, 50_000_001 * CAI, 50_000_000 * CAI)
        );
    }

    function test_register__commission_above_the_maximum__refused() public {
        Registration memory r = valid();
        r.commissionBps = 2001;
        registerRefused(r, abi.encodeWithSelector(IStaking.CommissionTooHigh.selector, 2000, 2001));
        r.maxCommissionBps = 10_001;
        registerRefused(r, abi.encodeWithSelector(IStaking.CommissionTooHigh.selector, 10_000, 10_001));
    }

    function test_register__introduction__bounded_by_1024_bytes() public {
        Registration memory r = valid();
        r.introduction = string(new bytes(1025));
        registerRefused(r, abi.encodeWithSelector(IStaking.IntroductionTooLong.selector, 1024, 1025));
        r.introduction = string(new bytes(1024));
        register(r);
    }

    function test_register__operator_zero__refused() public {
        Registration memory r = valid();
        r.operator = address(0);
        registerRefused(r, abi.encodeWithSelector(IStaking.OperatorZero.selector));
    }

    function test_register__operator_of_another_node__refused() public {
        register(valid());
        registerRefused(valid(), abi.encodeWithSelector(IStaking.OperatorTaken.selector, VM.addr(NEW_KEY), 1));
    }

    function test_register__consent_expired__refused() public {
        Registration memory r = valid();
        pass(61);
        registerRefused(r, abi.encodeWithSelector(IStaking.ConsentExpired.selector, r.deadline));
    }

    function test_register__consent_for_another_owner__refused() public {
        Registration memory r = registration(OTHER, Role.Miner, 20_000 * CAI, NEW_KEY);
        VM.prank(OWNER);
        (bool accepted, bytes memory answer) = address(staking).call(abi.encodeCall(IStaking.register, (r)));
        VM.assertFalse(accepted);
        // forge-lint: disable-next-line(unsafe-typecast)
        VM.assertEq(bytes32(bytes4(answer)), bytes32(IStaking.ConsentInvalid.selector));
    }

    function test_register__signature_malformed__refused() public {
        Registration memory r = valid();
        r.operatorSig = hex"01";
        registerRefused(r, abi.encodeWithSelector(IStaking.ConsentInvalid.selector, r.operator, address(0)));
    }

    function test_register__operator_is_the_owner__accepted() public {
        address owner = VM.addr(NEW_KEY);
        VM.assertTrue(token.transfer(owner, 20_000 * CAI));
        VM.startPrank(owner);
        token.approve(address(staking), 20_000 * CAI);
        staking.stake(20_000 * CAI);
        VM.assertEq(staking.register(registration(owner, Role.Miner, 20_000 * CAI, NEW_KEY)), 1);
        VM.stopPrank();
    }

    function test_setIntroduction__by_owner__emitted_and_block_kept() public {
        uint32 node = newMiner();
        VM.roll(200);
        VM.expectEmit(address(staking));
        emit IStaking.IntroductionChanged(node, "{}");
        VM.prank(OWNER);
        staking.setIntroduction(node, "{}");
        VM.assertEq(rowOf(node).introductionBlock, 200);
    }

    function test_setIntroduction__too_long_or_foreign__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.IntroductionTooLong.selector, 1024, 1025));
        VM.prank(OWNER);
        staking.setIntroduction(node, string(new bytes(1025)));
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.setIntroduction(node, "{}");
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        staking.setIntroduction(9, "{}");
    }

    function test_rotateOperator__consent__old_key_is_kept_for_ever() public {
        uint32 node = register(valid());
        pass(5);
        VM.expectEmit(address(staking));
        emit IStaking.OperatorRotated(node, VM.addr(NEW_KEY), VM.addr(77));
        rotate(node, 77);
        VM.assertEq(rowOf(node).operator, VM.addr(77));
        (uint32 bound, uint40 replacedAt) = staking.operatorOf(VM.addr(NEW_KEY));
        VM.assertEq(bound, node);
        VM.assertEq(replacedAt, start + 5);
        (bound, replacedAt) = staking.operatorOf(VM.addr(77));
        VM.assertEq(bound, node);
        VM.assertEq(replacedAt, 0);
        bytes memory signature = consent(OWNER, Role.Miner, NEW_KEY, time());
        VM.expectRevert(abi.encodeWithSelector(IStaking.OperatorTaken.selector, VM.addr(NEW_KEY), node));
        VM.prank(OWNER);
        staking.rotateOperator(node, VM.addr(NEW_KEY), time() + 1, signature);
    }

    function test_rotateOperator__not_the_owner__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.rotateOperator(node, OTHER, time(), "");
    }

    function test_transferOwner__accepted__own_stake_goes_with_the_node() public {
        uint32 node = newNode(OWNER, Role.Miner, 30_000 * CAI);
        uint256 bucket = unvoteFrom(node, Tranche.Own, OWNER, 5000 * CAI);
        VM.prank(OWNER);
        staking.setPayee(node, VOTER);
        addFees(node, 60 * CAI);
        pass(60);
        uint256 idleBefore = staking.idleStake(OWNER);
        VM.expectEmit(address(staking));
        emit IStaking.OwnerTransferStarted(node, OWNER, OTHER);
        VM.prank(OWNER);
        staking.transferOwner(node, OTHER);
        VM.assertEq(rowOf(node).owner, OWNER);
        VM.assertEq(rowOf(node).pendingOwner, OTHER);
        VM.prank(OTHER);
        staking.acceptOwner(node);
        NodeView memory row = rowOf(node);
        VM.assertEq(row.owner, OTHER);
        VM.assertEq(row.pendingOwner, address(0));
        VM.assertEq(row.payee, OTHER);
        VM.assertApproxEqAbs(staking.idleStake(OWNER), idleBefore + 60 * CAI, 1e6);
        VM.assertEq(claimOf(node, Tranche.Own, OTHER), 0);
        VM.warp(bucket * 10);
        uint256 before = staking.idleStake(OTHER);
        staking.release(node, Tranche.Own, OWNER, bucket);
        VM.assertEq(staking.idleStake(OTHER), before + 5000 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OWNER));
        unvoteFrom(node, Tranche.Own, OWNER, CAI);
        unvoteFrom(node, Tranche.Own, OTHER, 25_000 * CAI);
    }

    function test_transferOwner__jury_weight__moves_from_this_epoch_on() public {
        uint32 node = newMiner();
        uint256 epoch = staking.juryEpochNow();
        pass(20);
        moveTo(node, OTHER);
        pass(20);
        VM.assertEq(staking.ownerWeightAt(OWNER, Role.Miner, epoch), 20_000);
        VM.assertEq(staking.ownerWeightAt(OTHER, Role.Miner, epoch), 0);
        VM.assertEq(staking.ownerWeightAt(OWNER, Role.Miner, epoch + 1), 0);
        VM.assertEq(staking.ownerWeightAt(OTHER, Role.Miner, epoch + 1), 20_000);
        VM.assertEq(staking.roleWeightAt(Role.Miner, epoch + 1), 20_000);
        VM.assertEq(staking.nodeWeightAt(node, epoch + 1), 20_000);
    }

    function test_transferOwner__withdrawn_or_not_offered__refused() public {
        uint32 node = newMiner();
        VM.prank(OWNER);
        staking.transferOwner(node, OTHER);
        VM.prank(OWNER);
        staking.transferOwner(node, address(0));
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotPendingOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.acceptOwner(node);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.transferOwner(node, OTHER);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 9));
        VM.prank(address(0));
        staking.acceptOwner(9);
    }

    function test_setPayee__by_owner__changes() public {
        uint32 node = newMiner();
        VM.expectEmit(address(staking));
        emit IStaking.PayeeChanged(node, VOTER);
        VM.prank(OWNER);
        staking.setPayee(node, VOTER);
        VM.assertEq(rowOf(node).payee, VOTER);
        VM.prank(OWNER);
        staking.setPayee(node, address(0));
        VM.assertEq(rowOf(node).payee, OWNER);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.setPayee(node, OTHER);
    }

    function setCommission(uint32 node, uint16 commissionBps) private {
        VM.prank(OWNER);
        staking.setCommission(node, commissionBps);
    }

    function test_setCommission__lower__at_once() public {
        uint32 node = newMiner();
        VM.expectEmit(address(staking));
        emit IStaking.CommissionChanged(node, 200);
        setCommission(node, 200);
        VM.assertEq(rowOf(node).commissionBps, 200);
    }

    function test_setCommission__higher__after_the_notice() public {
        uint32 node = newMiner();
        VM.expectEmit(address(staking));
        emit IStaking.CommissionAnnounced(node, 1500, sinceStart(260));
        setCommission(node, 1500);
        VM.assertEq(rowOf(node).nextCommissionBps, 1500);
        VM.assertEq(rowOf(node).nextCommissionAt, start + 260);
        pass(259);
        staking.poke(node);
        VM.assertEq(rowOf(node).commissionBps, 1000);
        pass(1);
        VM.expectEmit(address(staking));
        emit IStaking.CommissionChanged(node, 1500);
        staking.poke(node);
        VM.assertEq(rowOf(node).commissionBps, 1500);
        VM.assertEq(rowOf(node).nextCommissionAt, 0);
    }

    function test_setCommission__rewards_until_it_holds__under_the_old_one() public {
        uint32 node = newMiner();
        voteFor(node, VOTER, 20_000 * CAI);
        setCommission(node, 1500);
        addFees(node, 100 * CAI);
        pass(300);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 45 * CAI, 1e6);
        addFees(node, 100 * CAI);
        pass(60);
        VM.assertApproxEqAbs(claimOf(node, Tranche.Votes, VOTER), 42.5 ether, 1e6);
    }

    function test_setCommission__lowered_during_the_notice__rise_is_off() public {
        uint32 node = newMiner();
        setCommission(node, 1500);
        setCommission(node, 1000);
        pass(300);
        staking.poke(node);
        VM.assertEq(rowOf(node).commissionBps, 1000);
    }

    function test_setCommission__too_far_or_foreign__refused() public {
        uint32 node = newMiner();
        VM.expectRevert(abi.encodeWithSelector(IStaking.CommissionTooHigh.selector, 1500, 1501));
        setCommission(node, 1501);
        VM.expectRevert(abi.encodeWithSelector(IStaking.CommissionTooHigh.selector, 2000, 2001));
        setCommission(node, 2001);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOwner.selector, node, OTHER));
        VM.prank(OTHER);
        staking.setCommission(node, 0);
    }

    function commitTip(uint32 node, address operator, bytes32 tip) private {
        VM.prank(operator);
        staking.commitSeedTip(node, tip);
    }

    function test_commitSeedTip__by_operator__kept_with_its_block() public {
        uint32 node = newNode(OWNER, Role.Coordinator, 2_000_000 * CAI);
        bytes32 tip = keccak256("tip");
        address operator = rowOf(node).operator;
        VM.roll(321);
        VM.expectEmit(address(staking));
        emit IStaking.SeedTipCommitted(node, tip);
        commitTip(node, operator, tip);
        (uint40 committedAt, uint40 blockNumber) = staking.seedTip(node, tip);
        VM.assertEq(committedAt, start);
        VM.assertEq(blockNumber, 321);
        VM.expectRevert(abi.encodeWithSelector(IStaking.TipTaken.selector, node, tip));
        commitTip(node, operator, tip);
        VM.expectRevert(IStaking.TipZero.selector);
        commitTip(node, operator, bytes32(0));
    }

    function test_commitSeedTip__not_the_operator_of_a_coordinator__refused() public {
        uint32 coordinator = newNode(OWNER, Role.Coordinator, 2_000_000 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotOperator.selector, coordinator, OWNER));
        commitTip(coordinator, OWNER, bytes32(uint256(1)));
        uint32 miner = newMiner();
        address operator = rowOf(miner).operator;
        VM.expectRevert(abi.encodeWithSelector(IStaking.NotCoordinator.selector, miner));
        commitTip(miner, operator, bytes32(uint256(1)));
    }
}

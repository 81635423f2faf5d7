// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Timelock} from "../src/governance/Timelock.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Role} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @dev Staking owned by its timelock, as it is deployed; this contract stands for the deployer.
contract GovernanceTest is StakingFixture {
    uint256 private constant DELAY = 100;
    address private constant GUARDIAN = address(0x6A);
    bytes32 private constant SALT = "salt";

    Timelock private timelock;

    function setUp() public override {
        super.setUp();
        timelock = new Timelock(DELAY, GOVERNOR);
        VM.prank(GOVERNOR);
        staking.transferOwnership(address(timelock));
        timelock.acceptOwnershipOf(staking);
    }

    function schedule(address target, bytes memory call) private {
        VM.prank(GOVERNOR);
        timelock.schedule(target, 0, call, 0, SALT, DELAY);
    }

    function execute(address target, bytes memory call) private {
        VM.prank(OTHER);
        timelock.execute(target, 0, call, 0, SALT);
    }

    function govern(address target, bytes memory call) private {
        schedule(target, call);
        pass(DELAY);
        execute(target, call);
    }

    function unauthorized(address account, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }

    function test_owner__after_deployment__is_the_timelock() public view {
        VM.assertEq(staking.owner(), address(timelock));
        VM.assertEq(staking.pendingOwner(), address(0));
        VM.assertEq(timelock.getMinDelay(), DELAY);
    }

    function test_roles__after_deployment__governor_proposes_everybody_executes_nobody_administers() public view {
        VM.assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), GOVERNOR));
        VM.assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), GOVERNOR));
        VM.assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)));
        VM.assertTrue(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(timelock)));
        VM.assertFalse(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), GOVERNOR));
        VM.assertFalse(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(this)));
        VM.assertFalse(timelock.hasRole(timelock.PROPOSER_ROLE(), address(this)));
        VM.assertFalse(timelock.hasRole(timelock.CANCELLER_ROLE(), address(this)));
    }

    function test_setter__before_the_delay__not_executed() public {
        bytes memory call = abi.encodeCall(staking.setEmissionRate, (1 ether));
        schedule(address(staking), call);
        pass(DELAY - 1);
        bytes32 id = timelock.hashOperation(address(staking), 0, call, 0, SALT);
        bytes32 ready = bytes32(2 ** uint256(TimelockController.OperationState.Ready));
        VM.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnexpectedOperationState.selector, id, ready));
        execute(address(staking), call);
        pass(1);
        execute(address(staking), call);
        (, uint256 rate,) = staking.roleOf(Role.Miner);
        VM.assertEq(rate, 0.6 ether);
    }

    function test_schedule__shorter_than_the_delay__refused() public {
        VM.expectRevert(abi.encodeWithSelector(TimelockController.TimelockInsufficientDelay.selector, DELAY - 1, DELAY));
        VM.prank(GOVERNOR);
        timelock.schedule(address(staking), 0, "", 0, SALT, DELAY - 1);
    }

    function test_schedule_and_cancel__not_the_governor__refused() public {
        bytes memory call = abi.encodeCall(staking.setEmissionRate, (1));
        schedule(address(staking), call);
        bytes32 id = timelock.hashOperation(address(staking), 0, call, 0, SALT);
        bytes32 proposer = timelock.PROPOSER_ROLE();
        bytes32 canceller = timelock.CANCELLER_ROLE();
        expectError(unauthorized(OTHER, proposer));
        VM.prank(OTHER);
        timelock.schedule(address(staking), 0, "", 0, SALT, DELAY);
        expectError(unauthorized(OTHER, canceller));
        VM.prank(OTHER);
        timelock.cancel(id);
        VM.prank(GOVERNOR);
        timelock.cancel(id);
        VM.assertFalse(timelock.isOperation(id));
    }

    function test_setters__governor_directly__refused() public {
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, GOVERNOR);
        VM.startPrank(GOVERNOR);
        expectError(reason);
        staking.setEmissionRate(1);
        expectError(reason);
        staking.setGuardian(GOVERNOR);
        expectError(reason);
        staking.transferOwnership(GOVERNOR);
        expectError(reason);
        staking.renounceOwnership();
        expectError(abi.encodeWithSelector(IStaking.NotGuardian.selector, GOVERNOR));
        staking.pauseEntries(1);
        VM.stopPrank();
    }

    function test_setters__out_of_bounds__refused_for_the_timelock_too() public {
        uint256 limit = uint256(100_000_000 ether) / 365 days;
        bytes memory call = abi.encodeCall(staking.setEmissionRate, (limit + 1));
        schedule(address(staking), call);
        pass(DELAY);
        expectError(abi.encodeWithSelector(IStaking.EmissionRateTooHigh.selector, limit, limit + 1));
        execute(address(staking), call);
        call = abi.encodeCall(staking.pauseEntries, (7 days + 1));
        schedule(address(staking), call);
        pass(DELAY);
        expectError(abi.encodeWithSelector(IStaking.PauseTooLong.selector, 7 days, 7 days + 1));
        execute(address(staking), call);
    }

    function test_guardian__named_by_the_owner__pauses_at_once_until_replaced() public {
        bytes memory call = abi.encodeCall(staking.setGuardian, (GUARDIAN));
        schedule(address(staking), call);
        pass(DELAY);
        VM.expectEmit(address(staking));
        emit IStaking.GuardianChanged(GUARDIAN);
        execute(address(staking), call);
        VM.assertEq(staking.guardian(), GUARDIAN);
        VM.startPrank(GUARDIAN);
        staking.pauseEntries(50);
        VM.assertEq(staking.entriesPausedUntil(), time() + 50);
        staking.resumeEntries();
        VM.assertEq(staking.entriesPausedUntil(), time());
        expectError(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, GUARDIAN));
        staking.setEmissionRate(1);
        expectError(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, GUARDIAN));
        staking.setGuardian(GUARDIAN);
        VM.stopPrank();
        govern(address(staking), abi.encodeCall(staking.setGuardian, (address(0))));
        pass(14 days);
        expectError(abi.encodeWithSelector(IStaking.NotGuardian.selector, GUARDIAN));
        VM.prank(GUARDIAN);
        staking.pauseEntries(1);
    }

    function test_pause__by_the_timelock__works() public {
        govern(address(staking), abi.encodeCall(staking.pauseEntries, (50)));
        VM.assertEq(staking.entriesPausedUntil(), time() + 50);
    }

    function test_transferOwnership__two_steps__old_owner_until_accepted() public {
        govern(address(staking), abi.encodeCall(staking.transferOwnership, (OTHER)));
        VM.assertEq(staking.owner(), address(timelock));
        expectError(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, VOTER));
        VM.prank(VOTER);
        staking.acceptOwnership();
        VM.prank(OTHER);
        staking.acceptOwnership();
        VM.assertEq(staking.owner(), OTHER);
    }

    function test_acceptOwnershipOf__not_offered__refused() public {
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(timelock)));
        timelock.acceptOwnershipOf(staking);
    }

    function test_delay__out_of_bounds__refused_at_deployment() public {
        VM.chainId(1);
        VM.expectRevert(abi.encodeWithSelector(Timelock.DelayOutOfBounds.selector, 1 days, 30 days, 1 days - 1));
        new Timelock(1 days - 1, GOVERNOR);
        VM.expectRevert(abi.encodeWithSelector(Timelock.DelayOutOfBounds.selector, 1 days, 30 days, 30 days + 1));
        new Timelock(30 days + 1, GOVERNOR);
        VM.assertEq(new Timelock(1 days, GOVERNOR).getMinDelay(), 1 days);
        VM.assertEq(new Timelock(30 days, GOVERNOR).getMinDelay(), 30 days);
        VM.chainId(31_337);
        VM.expectRevert(abi.encodeWithSelector(Timelock.DelayOutOfBounds.selector, 1, 30 days, 0));
        new Timelock(0, GOVERNOR);
    }

    function test_updateDelay__out_of_bounds__is_kept_within() public {
        VM.chainId(1);
        timelock = new Timelock(2 days, GOVERNOR);
        pass(1);
        bytes memory call = abi.encodeCall(timelock.updateDelay, (0));
        VM.prank(GOVERNOR);
        timelock.schedule(address(timelock), 0, call, 0, SALT, 2 days);
        pass(2 days);
        execute(address(timelock), call);
        VM.assertEq(timelock.getMinDelay(), 1 days);
        call = abi.encodeCall(timelock.updateDelay, (type(uint256).max));
        VM.prank(GOVERNOR);
        timelock.schedule(address(timelock), 0, call, 0, SALT, 1 days);
        pass(1 days);
        execute(address(timelock), call);
        VM.assertEq(timelock.getMinDelay(), 30 days);
    }

    function test_updateDelay__not_the_timelock__refused() public {
        VM.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, GOVERNOR));
        VM.prank(GOVERNOR);
        timelock.updateDelay(1);
    }
}

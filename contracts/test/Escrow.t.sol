// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @title What goes into the escrow, and what its payer takes out again.
contract EscrowTest is EscrowFixture {
    function test_new__what_it_is_bound_to__can_be_read() public view {
        VM.assertEq(address(escrow.staking()), address(staking));
        VM.assertEq(address(escrow.token()), address(token));
        VM.assertEq(uint256(escrow.thawS()), THAW);
    }

    function test_new__thaw_out_of_bounds__refused() public {
        IStaking bound = IStaking(address(staking));
        uint256[4] memory chains = [uint256(31_337), 31_337, 1, 1];
        uint32[4] memory thaws = [uint32(0), 30 days + 1, 1 days - 1, 30 days + 1];
        for (uint256 i = 0; i < 4; ++i) {
            VM.chainId(chains[i]);
            VM.expectRevert(
                abi.encodeWithSelector(IEscrow.ThawOutOfBounds.selector, chains[i] == 1 ? 1 days : 1, 30 days, thaws[i])
            );
            new Escrow(bound, thaws[i]);
        }
        new Escrow(bound, 1 days);
        new Escrow(bound, 30 days);
        VM.chainId(31_337);
        new Escrow(bound, 1);
    }

    // -------------------------------------------------------------------------------------------------- deposit

    function test_deposit__into_one_pair__stays_there() public {
        VM.expectEmit(address(escrow));
        emit IEscrow.Deposited(coordinator, miner, OTHER, 5 * CAI);
        put(miner, 5 * CAI);
        put(miner, 2 * CAI);
        assertAccount(miner, 7 * CAI, 0, 0);
        assertAccount(miner2, 0, 0, 0);
        VM.assertEq(token.balanceOf(address(escrow)), 7 * CAI);
    }

    function test_deposit__by_anybody__is_the_pairs() public {
        token.approve(address(escrow), CAI);
        escrow.deposit(coordinator, miner, CAI);
        assertAccount(miner, CAI, 0, 0);
    }

    function test_deposit__zero__refused() public {
        VM.expectRevert(IEscrow.AmountZero.selector);
        escrow.deposit(coordinator, miner, 0);
    }

    function test_deposit__roles_are_wrong__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NotCoordinator.selector, miner));
        escrow.deposit(miner, miner2, CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NotMiner.selector, coordinator));
        escrow.deposit(coordinator, coordinator, CAI);
    }

    function test_deposit__no_such_node__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 99));
        escrow.deposit(99, miner, CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 99));
        escrow.deposit(coordinator, 99, CAI);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 0));
        escrow.deposit(0, miner, CAI);
    }

    function test_deposit__not_approved__refused() public {
        VM.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(escrow), 0, CAI)
        );
        escrow.deposit(coordinator, miner, CAI);
    }

    function test_depositMany__several_miners__one_transfer() public {
        (uint32[] memory miners, uint256[] memory amounts) = listed(2);
        (miners[1], amounts[1]) = (miner2, 3 * CAI);
        uint256 before = token.balanceOf(OTHER);
        VM.expectEmit(address(escrow));
        emit IEscrow.Deposited(coordinator, miner, OTHER, CAI);
        VM.expectEmit(address(escrow));
        emit IEscrow.Deposited(coordinator, miner2, OTHER, 3 * CAI);
        VM.prank(OTHER);
        escrow.depositMany(coordinator, miners, amounts);
        assertAccount(miner, CAI, 0, 0);
        assertAccount(miner2, 3 * CAI, 0, 0);
        VM.assertEq(token.balanceOf(OTHER), before - 4 * CAI);
    }

    function test_depositMany__one_miner_twice__both_count() public {
        (uint32[] memory miners, uint256[] memory amounts) = listed(100);
        VM.prank(OTHER);
        escrow.depositMany(coordinator, miners, amounts);
        assertAccount(miner, 100 * CAI, 0, 0);
    }

    function test_depositMany__lists_differ_or_are_too_long__refused() public {
        (uint32[] memory miners,) = listed(2);
        (, uint256[] memory amounts) = listed(1);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.LengthsDiffer.selector, 2, 1));
        escrow.depositMany(coordinator, miners, amounts);
        (miners, amounts) = listed(101);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.TooMany.selector, 100, 101));
        escrow.depositMany(coordinator, miners, amounts);
    }

    function test_depositMany__one_of_them_is_zero_or_no_miner__nothing_happens() public {
        (uint32[] memory miners, uint256[] memory amounts) = listed(2);
        amounts[1] = 0;
        VM.expectRevert(IEscrow.AmountZero.selector);
        escrow.depositMany(coordinator, miners, amounts);
        (miners[1], amounts[1]) = (coordinator, CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NotMiner.selector, coordinator));
        escrow.depositMany(coordinator, miners, amounts);
        assertAccount(miner, 0, 0, 0);
    }

    // ----------------------------------------------------------------------------------------------------- thaw

    function test_thaw__then_withdrawn__goes_to_the_owner() public {
        put(miner, 10 * CAI);
        VM.expectEmit(address(escrow));
        emit IEscrow.ThawStarted(coordinator, miner, 4 * CAI, 4 * CAI, sinceStart(THAW));
        thawFor(miner, 4 * CAI);
        assertAccount(miner, 10 * CAI, 4 * CAI, 0);
        pass(THAW);
        uint256 before = token.balanceOf(OTHER);
        VM.expectEmit(address(escrow));
        emit IEscrow.ThawedWithdrawn(coordinator, miner, OTHER, 4 * CAI);
        VM.assertEq(escrow.withdrawThawed(coordinator, miner), 4 * CAI);
        VM.assertEq(token.balanceOf(OTHER), before + 4 * CAI);
        assertAccount(miner, 6 * CAI, 0, 0);
    }

    function test_thaw__by_the_operator__allowed() public {
        put(miner, CAI);
        VM.prank(operator);
        escrow.thaw(coordinator, miner, CAI);
        assertAccount(miner, CAI, CAI, 0);
    }

    function test_thaw__by_anybody_else__refused() public {
        put(miner, CAI);
        rotate();
        address[3] memory callers = [OWNER, operator, rowOf(miner).operator];
        for (uint256 i = 0; i < 3; ++i) {
            VM.expectRevert(abi.encodeWithSelector(IEscrow.NotPayer.selector, coordinator, callers[i]));
            VM.prank(callers[i]);
            escrow.thaw(coordinator, miner, CAI);
        }
        VM.prank(VM.addr(NEXT_KEY));
        escrow.thaw(coordinator, miner, CAI);
    }

    function test_thaw__zero_or_more_than_is_there__refused() public {
        put(miner, 10 * CAI);
        VM.expectRevert(IEscrow.AmountZero.selector);
        thawFor(miner, 0);
        thawFor(miner, 4 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.BalanceTooLow.selector, 6 * CAI + 1, 6 * CAI));
        thawFor(miner, 6 * CAI + 1);
        thawFor(miner, 6 * CAI);
    }

    function test_thaw__more_later__time_starts_anew_for_all() public {
        put(miner, 10 * CAI);
        thawFor(miner, 4 * CAI);
        pass(THAW - 1);
        thawFor(miner, CAI);
        (, uint256 thawing, uint40 thawedAt,,) = escrow.account(coordinator, miner);
        VM.assertEq(thawing, 5 * CAI);
        VM.assertEq(thawedAt, sinceStart(2 * THAW - 1));
        pass(THAW - 1);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.StillThawing.selector, thawedAt));
        escrow.withdrawThawed(coordinator, miner);
        pass(1);
        VM.assertEq(escrow.withdrawThawed(coordinator, miner), 5 * CAI);
    }

    function test_thaw__thawed_and_left_there__covers_no_later_thaw() public {
        put(miner, 10 * CAI);
        thawFor(miner, CAI);
        pass(10 * THAW);
        thawFor(miner, 9 * CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.StillThawing.selector, time() + THAW));
        escrow.withdrawThawed(coordinator, miner);
    }

    function test_withdrawThawed__nothing_thaws__refused() public {
        put(miner, CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NothingThaws.selector, coordinator, miner));
        escrow.withdrawThawed(coordinator, miner);
        thawFor(miner, CAI);
        pass(THAW);
        escrow.withdrawThawed(coordinator, miner);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NothingThaws.selector, coordinator, miner));
        escrow.withdrawThawed(coordinator, miner);
    }

    function test_withdrawThawed__the_node_was_sold__goes_to_the_new_owner() public {
        put(miner, CAI);
        thawFor(miner, CAI);
        VM.prank(OTHER);
        staking.transferOwner(coordinator, VOTER);
        VM.prank(VOTER);
        staking.acceptOwner(coordinator);
        pass(THAW);
        uint256 before = token.balanceOf(VOTER);
        escrow.withdrawThawed(coordinator, miner);
        VM.assertEq(token.balanceOf(VOTER), before + CAI);
    }

    /// @dev Lists that put 1 CAI for the first miner, again and again.
    function listed(uint256 length) private view returns (uint32[] memory miners, uint256[] memory amounts) {
        miners = new uint32[](length);
        amounts = new uint256[](length);
        for (uint256 i = 0; i < length; ++i) {
            (miners[i], amounts[i]) = (miner, CAI);
        }
    }
}

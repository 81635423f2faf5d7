// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {IEscrow, Voucher} from "../src/interfaces/IEscrow.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Fault, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {TokenOnly} from "./TokenOnly.sol";

/// @title What vouchers pay, and what they do not.
contract EscrowRedeemTest is EscrowFixture {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_redeem__first_voucher__nine_tenths_to_the_owner_one_is_kept() public {
        put(miner, 100 * CAI);
        uint256 before = token.balanceOf(OWNER);
        Voucher memory voucher = voucherFor(miner, 40 * CAI);
        bytes memory signature = signed(PAYER_KEY, voucher);
        VM.expectEmit(address(escrow));
        emit IEscrow.Redeemed(coordinator, miner, OWNER, 40 * CAI, 4 * CAI, 40 * CAI);
        VM.assertEq(escrow.redeem(voucher, signature), 40 * CAI);
        VM.assertEq(token.balanceOf(OWNER), before + 36 * CAI);
        VM.assertEq(keptFees(miner), 4 * CAI);
        VM.assertEq(token.balanceOf(address(escrow)), 64 * CAI);
        assertAccount(miner, 60 * CAI, 0, 40 * CAI);
    }

    function test_passFees__after_two_vouchers__streamed_to_the_stakers() public {
        put(miner, 100 * CAI);
        redeem(miner, 40 * CAI);
        redeem(miner, 60 * CAI);
        VM.expectEmit(address(escrow));
        emit IEscrow.FeesPassed(coordinator, miner, 6 * CAI);
        VM.expectEmit(address(staking));
        emit IStaking.FeesAdded(miner, address(escrow), 6 * CAI);
        VM.assertEq(escrow.passFees(coordinator, miner), 6 * CAI);
        VM.assertEq(keptFees(miner), 0);
        assertAccount(miner, 40 * CAI, 0, 60 * CAI);
        VM.assertEq(token.balanceOf(address(escrow)), 40 * CAI);
        pass(60);
        VM.assertApproxEqAbs(claimOf(miner, Tranche.Own, OWNER), 6 * CAI, DUST);
    }

    function test_passFees__none_kept__refused() public {
        put(miner, 10 * CAI);
        bytes memory reason = abi.encodeWithSelector(IEscrow.NoFees.selector, coordinator, miner);
        VM.expectRevert(reason);
        escrow.passFees(coordinator, miner);
        redeem(miner, 10 * CAI);
        escrow.passFees(coordinator, miner);
        VM.expectRevert(reason);
        escrow.passFees(coordinator, miner);
    }

    function test_redeem__a_payee_is_set__is_paid() public {
        put(miner, 10 * CAI);
        VM.prank(OWNER);
        staking.setPayee(miner, PAYEE);
        redeem(miner, 10 * CAI);
        VM.assertEq(token.balanceOf(PAYEE), 9 * CAI);
    }

    function test_redeem__later_voucher__pays_the_difference() public {
        put(miner, 100 * CAI);
        redeem(miner, 40 * CAI);
        VM.assertEq(redeem(miner, 41 * CAI), CAI);
        assertAccount(miner, 59 * CAI, 0, 41 * CAI);
    }

    function test_redeem__the_same_or_an_older_voucher__refused() public {
        put(miner, 100 * CAI);
        redeemRefused(miner, 0, nothingToRedeem(0, 100 * CAI));
        redeem(miner, 40 * CAI);
        redeemRefused(miner, 40 * CAI, nothingToRedeem(40 * CAI, 60 * CAI));
        redeemRefused(miner, 39 * CAI, nothingToRedeem(40 * CAI, 60 * CAI));
    }

    function test_redeem__more_than_the_balance__the_rest_stays_owed() public {
        put(miner, 10 * CAI);
        VM.assertEq(redeem(miner, 25 * CAI), 10 * CAI);
        redeemRefused(miner, 25 * CAI, nothingToRedeem(10 * CAI, 0));
        put(miner, 100 * CAI);
        VM.assertEq(redeem(miner, 25 * CAI), 15 * CAI);
        assertAccount(miner, 85 * CAI, 0, 25 * CAI);
    }

    function test_redeem__promise_without_bound__pays_the_balance_again_and_again() public {
        put(miner, CAI);
        VM.assertEq(redeem(miner, type(uint256).max), CAI);
        put(miner, CAI);
        VM.assertEq(redeem(miner, type(uint256).max), CAI);
    }

    function test_redeem__too_little_for_fees__all_to_the_payee() public {
        put(miner, CAI);
        uint256 before = token.balanceOf(OWNER);
        VM.assertEq(redeem(miner, 9), 9);
        VM.assertEq(token.balanceOf(OWNER), before + 9);
        redeem(miner, 28);
        VM.assertEq(token.balanceOf(OWNER), before + 27);
    }

    function test_redeem__thawing_funds__are_taken_last() public {
        put(miner, 10 * CAI);
        thawFor(miner, 4 * CAI);
        redeem(miner, 6 * CAI);
        assertAccount(miner, 4 * CAI, 4 * CAI, 6 * CAI);
        redeem(miner, 7 * CAI);
        assertAccount(miner, 3 * CAI, 3 * CAI, 7 * CAI);
        pass(THAW);
        redeem(miner, 8 * CAI);
        VM.assertEq(escrow.withdrawThawed(coordinator, miner), 2 * CAI);
        redeemRefused(miner, 9 * CAI, nothingToRedeem(8 * CAI, 0));
    }

    function test_redeem__everything_thaws_and_is_redeemed__nothing_to_withdraw() public {
        put(miner, CAI);
        thawFor(miner, CAI);
        redeem(miner, CAI);
        pass(THAW);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.NothingThaws.selector, coordinator, miner));
        escrow.withdrawThawed(coordinator, miner);
    }

    function test_redeem__while_entries_are_paused_and_the_miner_is_jailed__pays() public {
        put(miner, CAI);
        VM.prank(GOVERNOR);
        staking.pauseEntries(60);
        slashNode(miner, Fault.Equivocation, 1, 0);
        VM.assertEq(redeem(miner, CAI), CAI);
    }

    // ------------------------------------------------------------------------------------------------- isolation

    function test_redeem__another_miners_voucher__takes_nothing_of_this_one() public {
        put(miner, CAI);
        put(miner2, CAI);
        VM.assertEq(redeem(miner2, 100 * CAI), CAI);
        assertAccount(miner, CAI, 0, 0);
        assertAccount(miner2, 0, 0, CAI);
    }

    function test_redeem__changed_after_signing__refused() public {
        put(miner, CAI);
        put(miner2, CAI);
        bytes memory signature = signed(PAYER_KEY, voucherFor(miner, CAI));
        Voucher[3] memory changed = [voucherFor(miner2, CAI), voucherFor(miner, CAI + 1), voucherFor(miner, CAI)];
        changed[2].coordinatorNode = miner2;
        for (uint256 i = 0; i < 3; ++i) {
            expectSignerRefused();
            escrow.redeem(changed[i], signature);
        }
    }

    function test_redeem__signed_by_somebody_else__refused() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        bytes memory signature = signed(0xBAD, voucher);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.VoucherSignerInvalid.selector, coordinator, VM.addr(0xBAD)));
        escrow.redeem(voucher, signature);
    }

    function test_redeem__signed_by_another_coordinator__refused() public {
        put(miner, CAI);
        uint32 another = newNode(VOTER, Role.Coordinator, 2_000_000 * CAI);
        address signer = VM.addr(OPERATOR_KEY + 3);
        VM.assertEq(rowOf(another).operator, signer);
        Voucher memory voucher = voucherFor(miner, CAI);
        bytes memory signature = signed(OPERATOR_KEY + 3, voucher);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.VoucherSignerInvalid.selector, coordinator, signer));
        escrow.redeem(voucher, signature);
    }

    function test_redeem__no_signature_at_all__refused_for_node_0_too() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        VM.expectRevert(abi.encodeWithSelector(IEscrow.VoucherSignerInvalid.selector, coordinator, address(0)));
        escrow.redeem(voucher, "");
        voucher.coordinatorNode = 0;
        VM.expectRevert(abi.encodeWithSelector(IEscrow.VoucherSignerInvalid.selector, 0, address(0)));
        escrow.redeem(voucher, "");
    }

    function test_redeem__other_form_of_the_same_signature__refused() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(PAYER_KEY, escrow.voucherDigest(voucher));
        bytes memory high = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        VM.expectRevert(abi.encodeWithSelector(IEscrow.VoucherSignerInvalid.selector, coordinator, address(0)));
        escrow.redeem(voucher, high);
    }

    function test_redeem__signed_for_another_chain__refused() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        VM.chainId(1);
        bytes memory signature = signed(PAYER_KEY, voucher);
        VM.chainId(31_337);
        expectSignerRefused();
        escrow.redeem(voucher, signature);
    }

    function test_redeem__the_chain_forks__old_vouchers_are_worth_nothing_there() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        bytes memory signature = signed(PAYER_KEY, voucher);
        VM.chainId(31_338);
        expectSignerRefused();
        escrow.redeem(voucher, signature);
    }

    function test_redeem__signed_for_another_staking__refused() public {
        put(miner, CAI);
        Voucher memory voucher = voucherFor(miner, CAI);
        Escrow foreign = new Escrow(IStaking(address(new TokenOnly(token))), THAW);
        bytes memory signature = signed(PAYER_KEY, foreign.voucherDigest(voucher));
        expectSignerRefused();
        escrow.redeem(voucher, signature);
    }

    // -------------------------------------------------------------------------------------------------- rotation

    function test_redeem__operator_was_rotated__valid_for_one_thaw() public {
        put(miner, 10 * CAI);
        rotate();
        uint256 replacedAt = time();
        pass(THAW);
        VM.assertEq(redeem(miner, CAI), CAI);
        pass(1);
        redeemRefused(
            miner, 2 * CAI, abi.encodeWithSelector(IEscrow.VoucherSignerReplaced.selector, operator, replacedAt + THAW)
        );
    }

    function test_redeem__by_the_new_operator__goes_on_where_the_old_one_was() public {
        put(miner, 10 * CAI);
        redeem(miner, 3 * CAI);
        rotate();
        Voucher memory voucher = voucherFor(miner, 3 * CAI);
        bytes memory signature = signed(NEXT_KEY, voucher);
        VM.expectRevert(nothingToRedeem(3 * CAI, 7 * CAI));
        escrow.redeem(voucher, signature);
        voucher = voucherFor(miner, 5 * CAI);
        VM.assertEq(escrow.redeem(voucher, signed(NEXT_KEY, voucher)), 2 * CAI);
        assertAccount(miner, 5 * CAI, 0, 5 * CAI);
    }

    // ---------------------------------------------------------------------------------------------------- fuzzed

    function testFuzz_redeem__any_order_of_vouchers__pays_the_highest_once(
        uint96 first,
        uint96 second,
        uint96 third,
        uint96 funds
    ) public {
        uint256 held = uint256(funds) % (1_000_000 * CAI) + 1;
        put(miner, held);
        put(miner2, 7 * CAI);
        uint256 before = token.balanceOf(OWNER);
        uint256[3] memory vouchers = [uint256(first), second, third];
        uint256 highest = 0;
        uint256 paid = 0;
        for (uint256 i = 0; i < 3; ++i) {
            if (vouchers[i] <= highest || paid == held) {
                redeemRefused(miner, vouchers[i], nothingToRedeem(paid, held - paid));
                continue;
            }
            highest = vouchers[i];
            paid += redeem(miner, vouchers[i]);
            VM.assertEq(paid, highest < held ? highest : held);
            assertAccount(miner, held - paid, 0, paid);
        }
        assertAccount(miner2, 7 * CAI, 0, 0);
        VM.assertEq(token.balanceOf(address(escrow)), held - paid + 7 * CAI + keptFees(miner));
        uint256 received = token.balanceOf(OWNER) - before;
        VM.assertEq(received + keptFees(miner), paid);
        VM.assertLe(keptFees(miner), paid / 10);
        VM.assertGe(keptFees(miner) + 2, paid / 10);
    }

    function testFuzz_thaw__and_redeem__all_that_was_put_in_comes_out(uint96 funds, uint96 thawing, uint96 promised)
        public
    {
        uint256 held = uint256(funds) % (1_000_000 * CAI) + 1;
        uint256 announced = uint256(thawing) % held + 1;
        put(miner, held);
        thawFor(miner, announced);
        uint256 redeemed = promised == 0 ? 0 : redeem(miner, promised);
        uint256 left = held - redeemed;
        assertAccount(miner, left, announced < left ? announced : left, redeemed);
        pass(THAW);
        if (left > 0) {
            VM.assertEq(escrow.withdrawThawed(coordinator, miner), announced < left ? announced : left);
        }
        uint256 kept = keptFees(miner);
        VM.assertEq(token.balanceOf(address(escrow)), kept + (left > announced ? left - announced : 0));
    }

    /// @dev The recovered signer depends on what was changed: only the kind of refusal is known.
    function expectSignerRefused() private {
        VM.expectPartialRevert(IEscrow.VoucherSignerInvalid.selector);
    }
}

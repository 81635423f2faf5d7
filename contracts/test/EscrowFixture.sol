// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {IEscrow, Voucher} from "../src/interfaces/IEscrow.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Registration, Role} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title A coordinator that pays, two miners that are paid, and what the tests of Escrow do with them.
abstract contract EscrowFixture is StakingFixture {
    uint32 internal constant THAW = 30;
    uint256 internal constant PAYER_KEY = 0xC0FFEE;
    uint256 internal constant NEXT_KEY = 0xC0FFEF;
    address internal constant PAYEE = address(0x0109);

    /// @dev What rounding of streamed fees may cost, in wei.
    uint256 internal constant DUST = 1e7;

    Escrow internal escrow;
    uint32 internal coordinator;
    uint32 internal miner;
    uint32 internal miner2;
    address internal operator;

    function setUp() public virtual override {
        super.setUp();
        operator = VM.addr(PAYER_KEY);
        escrow = new Escrow(IStaking(address(staking)), THAW);
        Registration memory r = registration(OTHER, Role.Coordinator, 2_000_000 * CAI, PAYER_KEY);
        VM.prank(OTHER);
        coordinator = staking.register(r);
        miner = newMiner();
        miner2 = newMiner();
        VM.prank(OTHER);
        token.approve(address(escrow), type(uint256).max);
    }

    /// @dev A deposit by the coordinator's owner.
    function put(uint32 to, uint256 amount) internal {
        VM.prank(OTHER);
        escrow.deposit(coordinator, to, amount);
    }

    function thawFor(uint32 to, uint256 amount) internal {
        VM.prank(OTHER);
        escrow.thaw(coordinator, to, amount);
    }

    function voucherFor(uint32 to, uint256 cumulative) internal view returns (Voucher memory) {
        return Voucher({coordinatorNode: coordinator, minerNode: to, cumulative: cumulative});
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function signed(uint256 key, Voucher memory voucher) internal view returns (bytes memory) {
        return signed(key, escrow.voucherDigest(voucher));
    }

    /// @dev Redeems a voucher that the coordinator's operator signs.
    function redeem(uint32 to, uint256 cumulative) internal returns (uint256) {
        Voucher memory voucher = voucherFor(to, cumulative);
        return escrow.redeem(voucher, signed(PAYER_KEY, voucher));
    }

    /// @dev Redeems a voucher, and expects to be refused.
    function redeemRefused(uint32 to, uint256 cumulative, bytes memory reason) internal {
        Voucher memory voucher = voucherFor(to, cumulative);
        bytes memory signature = signed(PAYER_KEY, voucher);
        VM.expectRevert(reason);
        escrow.redeem(voucher, signature);
    }

    /// @dev Makes NEXT_KEY the coordinator's operator.
    function rotate() internal {
        bytes memory signature = consent(OTHER, Role.Coordinator, NEXT_KEY, time() + 60);
        VM.prank(OTHER);
        staking.rotateOperator(coordinator, VM.addr(NEXT_KEY), time() + 60, signature);
    }

    /// @dev Checks a balance, the part that thaws, and what was redeemed.
    function assertAccount(uint32 whose, uint256 balance, uint256 thawing, uint256 redeemed) internal view {
        (uint256 isBalance, uint256 isThawing,, uint256 isRedeemed,) = escrow.account(coordinator, whose);
        VM.assertEq(isBalance, balance);
        VM.assertEq(isThawing, thawing);
        VM.assertEq(isRedeemed, redeemed);
    }

    function keptFees(uint32 whose) internal view returns (uint256 fees) {
        (,,,, fees) = escrow.account(coordinator, whose);
    }

    function nothingToRedeem(uint256 redeemed, uint256 balance) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.NothingToRedeem.selector, redeemed, balance);
    }
}

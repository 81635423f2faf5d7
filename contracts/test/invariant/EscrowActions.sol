// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Messages} from "../../src/disputes/Messages.sol";
import {IEscrow, Voucher} from "../../src/interfaces/IEscrow.sol";
import {Role} from "../../src/interfaces/StakingTypes.sol";
import {StakingActions} from "./StakingActions.sol";

/// @title What coordinators hold ready, and what miners redeem of it. Two coordinators, four miners.
abstract contract EscrowActions is StakingActions {
    uint32[2] internal payers;
    uint32[4] internal payees;
    mapping(uint32 payer => mapping(uint32 payee => uint256 cumulative)) internal highestSigned;
    mapping(uint32 payer => mapping(uint32 payee => uint256 amount)) internal putIn;

    mapping(uint32 payer => mapping(uint32 payee => uint256 amount)) private _redeemed;

    /// @dev Redeemed, taken back and still there is what was put in, for each pair by itself; no payment exceeds what was
    /// signed, and none is taken back. All of it together is what Escrow holds.
    function escrowAddsUp() internal {
        uint256 held = 0;
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 4; ++j) {
                (uint256 balance, uint256 thawing,, uint256 redeemed, uint256 fees) =
                    escrow.account(payers[i], payees[j]);
                VM.assertLe(redeemed, highestSigned[payers[i]][payees[j]]);
                VM.assertGe(redeemed, _redeemed[payers[i]][payees[j]]);
                _redeemed[payers[i]][payees[j]] = redeemed;
                VM.assertLe(thawing, balance);
                VM.assertEq(putIn[payers[i]][payees[j]], balance + redeemed);
                held += balance + fees;
            }
        }
        VM.assertEq(token.balanceOf(address(escrow)), held);
    }

    function put(uint256 pair, uint256 amount) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        amount = between(amount, 1, 500 * CAI);
        address actor = actorBy(pair / 8);
        if (token.balanceOf(actor) < amount) return;
        VM.prank(actor);
        escrow.deposit(payer, payee, amount);
        putIn[payer][payee] += amount;
        done("deposit");
    }

    function putMany(uint256 pair, uint256 amount) internal {
        (uint32 payer,) = pairBy(pair);
        address actor = actorBy(pair / 8);
        uint32[] memory miners = new uint32[](4);
        uint256[] memory amounts = new uint256[](4);
        for (uint256 i = 0; i < 4; ++i) {
            miners[i] = payees[i];
            amounts[i] = between(amount, 1, 100 * CAI) + i;
            putIn[payer][payees[i]] += amounts[i];
        }
        VM.prank(actor);
        escrow.depositMany(payer, miners, amounts);
        done("depositMany");
    }

    function thaw(uint256 pair, uint256 amount) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        (uint256 balance, uint256 thawing,,,) = escrow.account(payer, payee);
        if (balance == thawing) return;
        VM.prank(ownerOf(payer));
        escrow.thaw(payer, payee, between(amount, 1, balance - thawing));
        done("thaw");
    }

    function withdrawThawed(uint256 pair, bool patient) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        (, uint256 thawing, uint40 thawedAt,,) = escrow.account(payer, payee);
        if (thawing == 0) return;
        if (time() < thawedAt) {
            if (!patient) {
                VM.expectPartialRevert(IEscrow.StillThawing.selector);
                escrow.withdrawThawed(payer, payee);
                return;
            }
            VM.warp(thawedAt);
        }
        uint256 amount = escrow.withdrawThawed(payer, payee);
        putIn[payer][payee] -= amount;
        done("withdrawThawed");
    }

    /// @dev A new voucher, or one that is worth nothing more; signed by whoever runs the coordinator now.
    function redeem(uint256 pair, uint256 more) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        (uint256 balance,,, uint256 redeemed,) = escrow.account(payer, payee);
        uint256 highest = highestSigned[payer][payee];
        uint256 cumulative = highest + between(more, 0, 60 * CAI);
        Voucher memory voucher = Voucher({coordinatorNode: payer, minerNode: payee, cumulative: cumulative});
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(keyOf[payer], escrow.voucherDigest(voucher));
        highestSigned[payer][payee] = cumulative;
        if (cumulative <= redeemed || balance == 0) {
            VM.expectPartialRevert(IEscrow.NothingToRedeem.selector);
            escrow.redeem(voucher, abi.encodePacked(r, s, v));
            return;
        }
        uint256 amount = escrow.redeem(voucher, abi.encodePacked(r, s, v));
        VM.assertEq(amount, cumulative - redeemed < balance ? cumulative - redeemed : balance);
        done("redeem");
    }

    /// @dev A good voucher of another chain, of another network's contracts, or over another pair is worth nothing.
    function strangeVoucher(uint256 pair, uint256 why) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        Voucher memory voucher = Voucher({coordinatorNode: payer, minerNode: payee, cumulative: 1e9 * CAI});
        address network = address(staking);
        if (why % 3 == 0) VM.chainId(31_338);
        else if (why % 3 == 1) network = address(this);
        else voucher.minerNode = payees[(pair / 2 + 1) % 4];
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Voucher(uint32 coordinatorNode,uint32 minerNode,uint256 cumulative)"),
                payer,
                voucher.minerNode,
                voucher.cumulative
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(keyOf[payer], Messages.digest(network, structHash));
        VM.chainId(31_337);
        voucher.minerNode = payee;
        VM.expectPartialRevert(IEscrow.VoucherSignerInvalid.selector);
        escrow.redeem(voucher, abi.encodePacked(r, s, v));
        done("refuse a strange voucher");
    }

    function passFees(uint256 pair) internal {
        (uint32 payer, uint32 payee) = pairBy(pair);
        (,,,, uint256 fees) = escrow.account(payer, payee);
        if (fees == 0) return;
        rewardsIn += escrow.passFees(payer, payee);
        done("passFees");
    }

    function pairBy(uint256 seed) private view returns (uint32, uint32) {
        return (payers[seed % 2], payees[(seed / 2) % 4]);
    }

    /// @dev The first eight nodes: two coordinators, six miners.
    function settleDown() internal {
        for (uint256 i = 0; i < 8; ++i) {
            bool pays = i < 2;
            uint32 node = registerAs(
                actors[i % ACTORS], pays ? Role.Coordinator : Role.Miner, pays ? 2_000_000 * CAI : 60_000 * CAI
            );
            if (pays) payers[i] = node;
            else if (i < 6) payees[i - 2] = node;
        }
    }
}

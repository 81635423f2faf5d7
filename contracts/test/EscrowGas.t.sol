// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Voucher} from "../src/interfaces/IEscrow.sol";
import {EscrowFixture} from "./EscrowFixture.sol";

/// @title What transactions with the escrow cost, base cost included. The figures are kept in `snapshots/Escrow.json`.
/// forge-config: default.isolate = true
contract EscrowGasTest is EscrowFixture {
    function setUp() public override {
        super.setUp();
        VM.prank(OWNER);
        staking.setPayee(miner, PAYEE);
        // Somebody else paid in before, and the payee holds some: what is measured is not the first use of all.
        put(miner2, CAI);
        VM.prank(VOTER);
        VM.assertTrue(token.transfer(PAYEE, CAI));
        voteFor(miner, VOTER, 1000 * CAI);
        addFees(miner2, CAI);
    }

    function test_gas__deposit() public {
        put(miner, 10 * CAI);
        kept("deposit, new pair", 80_000);
        put(miner, 10 * CAI);
        kept("deposit, again", 50_000);
        uint32[] memory miners = new uint32[](10);
        uint256[] memory amounts = new uint256[](10);
        for (uint256 i = 0; i < 10; ++i) {
            (miners[i], amounts[i]) = (newMiner(), CAI);
        }
        VM.prank(OTHER);
        escrow.depositMany(coordinator, miners, amounts);
        kept("depositMany, 10 new pairs", 500_000);
        VM.prank(OTHER);
        escrow.depositMany(coordinator, miners, amounts);
        kept("depositMany, 10 again", 200_000);
    }

    function test_gas__redeem() public {
        put(miner, 100 * CAI);
        pass(10);
        spend(CAI);
        kept("redeem, first", 90_000);
        pass(10);
        spend(2 * CAI);
        kept("redeem, again", 70_000);
        escrow.passFees(coordinator, miner);
        kept("passFees", 120_000);
    }

    function test_gas__thaw() public {
        put(miner, 100 * CAI);
        thawFor(miner, CAI);
        kept("thaw", 60_000);
        pass(THAW);
        escrow.withdrawThawed(coordinator, miner);
        kept("withdrawThawed", 60_000);
    }

    function spend(uint256 cumulative) private {
        Voucher memory voucher = voucherFor(miner, cumulative);
        bytes memory signature = signed(PAYER_KEY, voucher);
        escrow.redeem(voucher, signature);
    }

    function kept(string memory name, uint256 most) private {
        VM.assertLe(VM.snapshotGasLastCall("Escrow", name), most);
    }
}

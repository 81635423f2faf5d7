// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Messages} from "../src/disputes/Messages.sol";
import {Assignment, Receipt, SignedAssignment, SignedReceipt, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {CallingToken} from "./CallingToken.sol";
import {DisputesFixture} from "./DisputesFixture.sol";
import {ITransferWatcher} from "./ITransferWatcher.sol";

/// @dev Nothing that moves money or seats lets itself be entered again, even if the token called back.
contract DisputesReentrancyTest is DisputesFixture, ITransferWatcher {
    bytes[] private calls;
    uint256 private transfers;

    /// @inheritdoc ITransferWatcher
    /// @dev Tries to enter every guarded function.
    function duringTransfer() external {
        ++transfers;
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool entered, bytes memory answer) = address(disputes).call(calls[i]);
            VM.assertFalse(entered);
            VM.assertEq(keccak256(answer), keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()")));
        }
    }

    /// @dev From now on the token calls back.
    function arm() private {
        VM.etch(address(token), address(new CallingToken(this)).code);
    }

    function twoReceipts()
        private
        view
        returns (SignedAssignment memory work, SignedReceipt memory first, SignedReceipt memory second)
    {
        Assignment memory a = assignment();
        (work, first) = evidence(a);
        Receipt memory r = receipt(Messages.hashAssignment(a));
        r.latentsRoot = keccak256("other latents");
        second = signed(MINER_KEY, r);
    }

    function setUp() public override {
        super.setUp();
        (SignedAssignment memory work, SignedReceipt memory first, SignedReceipt memory second) = twoReceipts();
        calls.push(abi.encodeCall(IDisputes.open, (work, first)));
        calls.push(abi.encodeCall(IDisputes.proveReceiptEquivocation, (work, first, second)));
        calls.push(abi.encodeCall(IDisputes.proveHeadEquivocation, (work, work)));
        calls.push(abi.encodeCall(IDisputes.appeal, (1)));
        calls.push(abi.encodeCall(IDisputes.drawSeed, (1)));
        calls.push(abi.encodeCall(IDisputes.claimSeats, (1, jurors[0])));
        calls.push(abi.encodeCall(IDisputes.execute, (1)));
        calls.push(abi.encodeCall(IDisputes.settleJuror, (1, 0, jurors[0])));
        calls.push(abi.encodeCall(IDisputes.withdraw, ()));
    }

    function test_open__token_calls_back__cannot_enter() public {
        arm();
        opened();
        VM.assertEq(transfers, 1);
    }

    function test_prove__token_calls_back__cannot_enter() public {
        (SignedAssignment memory work, SignedReceipt memory first, SignedReceipt memory second) = twoReceipts();
        arm();
        disputes.proveReceiptEquivocation(work, first, second);
        VM.assertEq(transfers, 3);
    }

    function test_appeal_and_execute__token_calls_back__cannot_enter() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        arm();
        appealAs(OWNER, id);
        VM.assertEq(transfers, 1);
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.Guilty);
        disputes.execute(id);
        VM.assertEq(transfers, 3);
    }

    function test_settleJuror_and_withdraw__token_calls_back__cannot_enter() public {
        uint256 id = opened();
        judge(id, Verdict.Guilty, Verdict.Guilty, Verdict.NotGuilty);
        end(id);
        arm();
        settleAll(id, 0);
        VM.assertEq(transfers, 3);
        VM.assertEq(withdrawAs(OTHER), BOND);
        VM.assertEq(transfers, 4);
    }
}

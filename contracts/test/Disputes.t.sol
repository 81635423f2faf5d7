// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Disputes} from "../src/Disputes.sol";
import {DisputeParameters, DisputeView, Outcome, Phase, Round, Verdict} from "../src/interfaces/DisputeTypes.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {DisputesFixture} from "./DisputesFixture.sol";

/// @dev What it is deployed with, and what can be read.
contract DisputesTest is DisputesFixture {
    function refused(DisputeParameters memory p, string memory name, uint256 low, uint256 high, uint256 actual)
        private
    {
        VM.expectRevert(abi.encodeWithSelector(IDisputes.ParameterOutOfBounds.selector, name, low, high, actual));
        this.deployLikeDisputes(p);
    }

    /// @dev Deploys at the address that may slash.
    function deployLikeDisputes(DisputeParameters memory p) external returns (Disputes) {
        VM.mockCall(address(staking), abi.encodeWithSelector(IStaking.isSlasher.selector), abi.encode(true));
        return new Disputes(IStaking(address(staking)), source, p);
    }

    function test_constructor__may_not_slash__refused() public {
        VM.expectRevert(IDisputes.NotSlasher.selector);
        new Disputes(IStaking(address(staking)), source, standard());
    }

    function test_constructor__out_of_bounds__refused() public {
        DisputeParameters memory p = standard();
        p.coordinatorAlone = 61;
        refused(p, "coordinatorAlone", 1, 60, 61);
        p.coordinatorAlone = 0;
        refused(p, "coordinatorAlone", 1, 60, 0);
        p = standard();
        p.seats = 0;
        refused(p, "seats", 1, 1001, 0);
        p.seats = 1002;
        refused(p, "seats", 1, 1001, 1002);
        p = standard();
        p.quorum = 0;
        refused(p, "quorum", 1, 21, 0);
        p.quorum = 22;
        refused(p, "quorum", 1, 21, 22);
        p = standard();
        p.fee = 0;
        refused(p, "fee", 1, 1000 * CAI, 0);
        p.fee = 1000 ether + 1;
        refused(p, "fee", 1, 1000 * CAI, 1000 * CAI + 1);
    }

    function test_constructor__short_period_off_the_development_chain__refused() public {
        VM.chainId(1);
        refused(standard(), "coordinatorAlone", 3600, 60, 30);
    }

    function test_reads__after_deployment__what_it_was_deployed_with() public view {
        DisputeParameters memory p = disputes.disputeParameters();
        VM.assertEq(p.coordinatorAlone, 30);
        VM.assertEq(p.seats, 21);
        VM.assertEq(p.quorum, 5);
        VM.assertEq(p.fee, 5 * CAI);
        VM.assertEq(address(disputes.staking()), address(staking));
        VM.assertEq(address(disputes.randomness()), address(source));
        VM.assertEq(disputes.appealBond(), 430 * CAI);
        VM.assertEq(disputes.bondOf(bytes32(0)), 210 * CAI);
        VM.assertEq(disputes.disputeCount(), 0);
    }

    function test_disputeOf__unknown__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IDisputes.DisputeUnknown.selector, 1));
        disputes.disputeOf(1);
    }

    function test_disputeOf__opened__the_whole_row() public {
        uint256 id = opened();
        DisputeView memory row = disputes.disputeOf(id);
        VM.assertEq(row.faultId, faultOf(assignment()));
        VM.assertEq(row.coordinator, coordinator);
        VM.assertEq(row.miner, miner);
        VM.assertEq(row.accuser, OTHER);
        VM.assertEq(row.bond, BOND);
        VM.assertEq(row.appellant, address(0));
        VM.assertEq(row.appealBond, 0);
        VM.assertEq(row.rounds, 1);
        VM.assertEq(uint256(row.outcome), uint256(Outcome.None));
        VM.assertEq(row.feePerSeat, 0);
        VM.assertEq(disputes.disputeCount(), 1);
        Round memory round = disputes.roundOf(id, 0);
        VM.assertEq(round.startedAt, time());
        VM.assertEq(round.epoch, time() / 20 - 1);
        VM.assertEq(round.weight, 300_000);
        VM.assertEq(round.seats, 21);
        VM.assertEq(round.ticket, 1);
        VM.assertEq(round.seed, bytes32(0));
    }

    function test_phase__as_time_passes__each_in_turn() public {
        uint256 id = opened();
        uint256 began = time();
        assertPhase(id, Phase.Claim, began + 10);
        for (uint256 i = 0; i < 3; ++i) {
            claimSeats(id, i);
        }
        VM.warp(began + 9);
        assertPhase(id, Phase.Claim, began + 10);
        VM.warp(began + 10);
        assertPhase(id, Phase.Commit, began + 30);
        commit(id, 0, Verdict.Guilty);
        commit(id, 1, Verdict.Guilty);
        VM.warp(began + 29);
        assertPhase(id, Phase.Commit, began + 30);
        VM.warp(began + 30);
        assertPhase(id, Phase.Reveal, began + 40);
        reveal(id, 0, Verdict.Guilty);
        reveal(id, 1, Verdict.Guilty);
        VM.warp(began + 39);
        assertPhase(id, Phase.Reveal, began + 40);
        VM.warp(began + 40);
        assertPhase(id, Phase.Appeal, began + 50);
        VM.warp(began + 49);
        assertPhase(id, Phase.Appeal, began + 50);
        VM.warp(began + 50);
        assertPhase(id, Phase.Execute, 0);
        disputes.execute(id);
        assertPhase(id, Phase.Ended, 0);
    }
}

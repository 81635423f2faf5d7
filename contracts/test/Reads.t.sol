// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {NodeView, Role} from "../src/interfaces/StakingTypes.sol";
import {JuryWeights} from "../src/staking/JuryWeights.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract ReadsTest is StakingFixture {
    function test_nodes__in_pages__every_node_of_the_role_once() public {
        for (uint256 i = 0; i < 5; ++i) {
            newMiner();
        }
        newNode(OTHER, Role.Coordinator, 2_000_000 * CAI);
        VM.assertEq(staking.nodeCount(Role.Miner), 5);
        VM.assertEq(staking.nodeCount(Role.Coordinator), 1);
        (NodeView[] memory rows, uint256 next) = staking.nodes(Role.Miner, 0, 2);
        VM.assertEq(rows.length, 2);
        VM.assertEq(rows[0].id, 1);
        VM.assertEq(next, 2);
        (rows, next) = staking.nodes(Role.Miner, next, 3);
        VM.assertEq(rows.length, 3);
        VM.assertEq(rows[2].id, 5);
        VM.assertEq(next, 0);
        (rows, next) = staking.nodes(Role.Coordinator, 0, type(uint256).max);
        VM.assertEq(rows.length, 1);
        VM.assertEq(rows[0].id, 6);
        VM.assertEq(rows[0].owner, OTHER);
        VM.assertEq(next, 0);
    }

    function test_nodes__cursor_behind_the_end__empty() public {
        newMiner();
        (NodeView[] memory rows, uint256 next) = staking.nodes(Role.Miner, 7, 2);
        VM.assertEq(rows.length, 0);
        VM.assertEq(next, 0);
    }

    function test_nodeOf__unknown__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, 1));
        staking.nodeOf(1);
    }
}

contract JuryWeightsTest is StakingFixture {
    using JuryWeights for uint256;

    /// @dev Against a plain array of closing weights.
    function testFuzz_jury__any_changes__like_a_plain_history(uint8[12] memory gaps, uint32[12] memory weights)
        public
        pure
    {
        uint256[] memory history = new uint256[](120);
        uint256 slot;
        uint256 epoch = 5;
        uint256 present;
        for (uint256 i = 0; i < 12; ++i) {
            uint256 gap = uint256(gaps[i]) % 9;
            for (uint256 k = 0; k < gap; ++k) {
                history[epoch + k] = present;
            }
            epoch += gap;
            uint256 weight = uint256(weights[i]) % 1_000_000_001;
            slot = slot.changed(epoch, present, weight);
            present = weight;
            for (uint256 ago = 1; ago <= 6 && ago <= epoch; ++ago) {
                VM.assertEq(slot.atEndOf(epoch - ago), history[epoch - ago]);
            }
            VM.assertEq(slot.atEndOf(epoch), present);
            VM.assertEq(slot.atEndOf(epoch + 9), present);
        }
    }

    function test_jury__more_than_six_epochs_ago__unknown() public pure {
        uint256 slot = uint256(0).changed(10, 0, 7);
        slot = slot.changed(17, 7, 8);
        VM.assertEq(slot.atEndOf(11), 7);
        VM.assertEq(slot.atEndOf(10), 0);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {NodeView, Role} from "../src/interfaces/StakingTypes.sol";
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

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

    function test_ownerOf_and_payeeOf__a_node__as_in_its_row() public {
        uint32 node = newNode(OTHER, Role.Coordinator, 2_000_000 * CAI);
        (address owner, Role role) = staking.ownerOf(node);
        VM.assertEq(owner, OTHER);
        VM.assertTrue(role == Role.Coordinator);
        VM.assertEq(staking.payeeOf(node), OTHER);
        VM.prank(OTHER);
        staking.setPayee(node, VOTER);
        VM.assertEq(staking.payeeOf(node), VOTER);
        VM.assertEq(rowOf(node).payee, VOTER);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, node + 1));
        staking.ownerOf(node + 1);
        VM.expectRevert(abi.encodeWithSelector(IStaking.NodeUnknown.selector, node + 1));
        staking.payeeOf(node + 1);
    }
}

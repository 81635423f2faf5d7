// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockRandomness} from "../src/BlockRandomness.sol";
import {IVm} from "./IVm.sol";

/// @dev When the hash of a later block is known, and for how long.
contract BlockRandomnessTest {
    IVm private constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant BLOCK = 1000;
    bytes32 private constant HASH = keccak256("block");

    BlockRandomness private source;

    function setUp() public {
        VM.roll(BLOCK);
        source = new BlockRandomness(4);
    }

    function assertSeed(uint256 ticket, bytes32 seed, bool lost) private view {
        (bytes32 actual, bool actuallyLost) = source.seedOf(ticket);
        VM.assertEq(actual, seed);
        VM.assertTrue(actuallyLost == lost);
    }

    function test_constructor__delay_out_of_bounds__refused() public {
        VM.expectRevert(abi.encodeWithSelector(BlockRandomness.DelayOutOfBounds.selector, 64, 0));
        new BlockRandomness(0);
        VM.expectRevert(abi.encodeWithSelector(BlockRandomness.DelayOutOfBounds.selector, 64, 65));
        new BlockRandomness(65);
        VM.assertEq(new BlockRandomness(64).DELAY(), 64);
        VM.assertEq(new BlockRandomness(1).DELAY(), 1);
    }

    function test_ticket__is_the_block_after_the_delay() public view {
        VM.assertEq(source.DELAY(), 4);
        VM.assertEq(source.ticket(), BLOCK + 4);
    }

    function test_seedOf__unknown_until_its_block_lies_behind__then_the_same_for_256_blocks() public {
        uint256 ticket = source.ticket();
        assertSeed(ticket, bytes32(0), false);
        VM.roll(ticket);
        assertSeed(ticket, bytes32(0), false);
        VM.roll(ticket + 1);
        VM.setBlockhash(ticket, HASH);
        assertSeed(ticket, HASH, false);
        VM.roll(ticket + 256);
        VM.setBlockhash(ticket, HASH);
        assertSeed(ticket, HASH, false);
    }

    function test_seedOf__after_256_blocks__lost() public {
        uint256 ticket = source.ticket();
        VM.roll(ticket + 257);
        assertSeed(ticket, bytes32(0), true);
    }
}

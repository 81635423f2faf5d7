// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JuryWeights} from "../src/staking/JuryWeights.sol";
import {IVm} from "./IVm.sol";

contract JuryWeightsTest {
    using JuryWeights for uint256;

    IVm private constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

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

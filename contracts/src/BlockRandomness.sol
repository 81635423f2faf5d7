// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRandomness} from "./interfaces/IRandomness.sol";

/// @title Randomness from the hash of a later block.
/// @notice It works on every chain, also where `prevrandao` is constant. What has to be assumed:
///
/// 1. Whoever proposes the block of a ticket can choose among the hashes it can compute in its slot, or leave its slot empty.
///    A jury is drawn by many seats, and an appeal draws again, so that one biased draw moves a verdict little; with a
///    delay above zero the one who opens a dispute does not know yet whether that proposer will be itself.
/// 2. The chain keeps 256 hashes. Somebody must use the seed within these blocks, or it is lost and another ticket is drawn:
///    of all who have an interest in the dispute, one must be awake for that time.
/// 3. No reorganisation is deeper than what claiming jurors wait for: a reorganised block seats another jury.
/// 4. On a chain whose sequencer alone makes the blocks, the sequencer can choose the jury.
contract BlockRandomness is IRandomness {
    /// @dev How many block hashes the virtual machine knows.
    uint256 private constant KEPT = 256;

    uint256 private constant LONGEST_DELAY = 64;

    /// @notice How many blocks after the one that asks the block of a ticket lies.
    uint256 public immutable DELAY;

    /// @notice A delay of `actual` blocks; at least 1, at most `limit`.
    error DelayOutOfBounds(uint256 limit, uint256 actual);

    /// @param delay Blocks, 1 to 64.
    constructor(uint256 delay) {
        if (delay == 0 || delay > LONGEST_DELAY) revert DelayOutOfBounds(LONGEST_DELAY, delay);
        DELAY = delay;
    }

    /// @inheritdoc IRandomness
    function ticket() external view returns (uint256) {
        return block.number + DELAY;
    }

    /// @inheritdoc IRandomness
    function seedOf(uint256 ofTicket) external view returns (bytes32 seed, bool lost) {
        if (block.number > ofTicket + KEPT) return (bytes32(0), true);
        return (blockhash(ofTicket), false);
    }
}

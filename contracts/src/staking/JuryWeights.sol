// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The weight of a node, an owner or a role, now and at the ends of the last six jury epochs, in one slot.
/// @notice From the lowest 32 bits up: weight now, at the end of `epoch` - 1, - 2 .. - 6; the highest 32 bits are `epoch`, the
/// one of the last change. Weights are in whole CAI, of which there are fewer than 2^30.
library JuryWeights {
    uint256 private constant WEIGHT_BITS = 32;
    uint256 private constant KEPT = 6;
    uint256 private constant WEIGHT_MASK = (1 << 32) - 1;
    uint256 private constant ALL_WEIGHTS = (1 << 224) - 1;
    uint256 private constant EPOCH_SHIFT = 224;

    /// @dev The slot after its weight changed by `plus` - `minus`, in whole CAI, during `epoch`.
    function changed(uint256 slot, uint256 epoch, uint256 minus, uint256 plus) internal pure returns (uint256) {
        uint256 weights = slot & ALL_WEIGHTS;
        uint256 present = weights & WEIGHT_MASK;
        uint256 gap = epoch - (slot >> EPOCH_SHIFT);
        if (gap > KEPT) gap = KEPT;
        for (; gap > 0; --gap) {
            weights = ((weights << WEIGHT_BITS) | present) & ALL_WEIGHTS;
        }
        return (epoch << EPOCH_SHIFT) | (weights - present + (present - minus + plus));
    }

    /// @dev The weight at the end of `epoch`, in whole CAI; zero if that is longer ago than is kept.
    function atEndOf(uint256 slot, uint256 epoch) internal pure returns (uint256) {
        uint256 last = slot >> EPOCH_SHIFT;
        if (epoch >= last) return slot & WEIGHT_MASK;
        uint256 ago = last - epoch;
        return ago > KEPT ? 0 : (slot >> (ago * WEIGHT_BITS)) & WEIGHT_MASK;
    }
}

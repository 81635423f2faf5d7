// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The lottery that each juror checks for itself: no list, no tree, O(1).
library Lottery {
    /// @dev Seats of a juror: its exact share `wanted` x `weight` / `total`, rounded up or down by chance so that the
    /// expectation is that share.
    /// @param seed Nobody knew it when the round started.
    /// @param wanted Expected seats of the round.
    /// @param weight The juror's, at most `total`.
    /// @param total Of all possible jurors, above zero.
    function seats(
        bytes32 seed,
        uint256 dispute,
        uint256 round,
        uint32 node,
        uint256 wanted,
        uint256 weight,
        uint256 total
    ) internal pure returns (uint256 count) {
        uint256 share = wanted * weight;
        count = share / total;
        // forge-lint: disable-next-line(asm-keccak256)
        uint256 draw = uint256(keccak256(abi.encode(seed, dispute, round, node)));
        if (draw < Math.mulDiv(type(uint256).max, share % total, total)) ++count;
    }
}

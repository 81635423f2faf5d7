// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A source of randomness that nobody knows when it is asked for.
/// @notice Whoever asks notes a ticket; its seed is known some time later, and to everybody. What a source must hold:
/// a seed can not be foreseen in the block in which its ticket is taken; it is the same for everybody and for ever, or lost;
/// what anybody can do to move it is written down at the implementation.
interface IRandomness {
    /// @notice The ticket of whoever asks now. Tickets of one block may be equal.
    function ticket() external view returns (uint256);

    /// @notice The seed of a ticket.
    /// @return seed Zero if it is not known yet, or lost.
    /// @return lost Whether it can never be known any more: take another ticket.
    function seedOf(uint256 ofTicket) external view returns (bytes32 seed, bool lost);
}

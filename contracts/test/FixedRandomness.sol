// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRandomness} from "../src/interfaces/IRandomness.sol";

/// @title A source of randomness that says what a test tells it to.
contract FixedRandomness is IRandomness {
    uint256 public ticket = 1;
    mapping(uint256 ofTicket => bytes32 seed) private _seeds;
    mapping(uint256 ofTicket => bool lost) private _lost;

    /// @dev Gives every ticket from now on another number.
    function next() external {
        ++ticket;
    }

    function set(uint256 ofTicket, bytes32 seed) external {
        _seeds[ofTicket] = seed;
    }

    function lose(uint256 ofTicket) external {
        _lost[ofTicket] = true;
    }

    function seedOf(uint256 ofTicket) external view returns (bytes32, bool) {
        return _lost[ofTicket] ? (bytes32(0), true) : (_seeds[ofTicket], false);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Timelock, the owner of Staking: whatever it changes stands on chain at least a delay before it holds.
/// @notice OpenZeppelin's timelock with two differences. Its delay can not be taken out of bounds, not even by itself; and
/// it accepts the ownership of contracts that are offered to it, so that nobody needs a role here to set things up.
contract Timelock is TimelockController {
    /// @dev The chain id of a local development chain, the only one on which the delay may be short.
    uint256 private constant DEVNET = 31_337;

    /// @notice The longest delay, in seconds.
    uint256 public constant LONGEST_DELAY = 30 days;

    /// @notice The shortest delay, in seconds.
    uint256 public immutable SHORTEST_DELAY;

    /// @notice The delay is `actual` seconds; it must lie within `low` and `high`.
    error DelayOutOfBounds(uint256 low, uint256 high, uint256 actual);

    /// @param delay How long every operation waits at least, in seconds.
    /// @param governor Who proposes operations and may cancel them. Anyone may execute one whose time has come. Nobody else
    /// has a role, and only an operation can grant one.
    constructor(uint256 delay, address governor)
        TimelockController(delay, _only(governor), _only(address(0)), address(0))
    {
        SHORTEST_DELAY = block.chainid == DEVNET ? 1 : 1 days;
        if (delay < SHORTEST_DELAY || delay > LONGEST_DELAY) {
            revert DelayOutOfBounds(SHORTEST_DELAY, LONGEST_DELAY, delay);
        }
    }

    /// @notice Takes over a contract that its owner has offered to this one. Anyone may call.
    function acceptOwnershipOf(Ownable2Step target) external {
        target.acceptOwnership();
    }

    /// @notice How long every operation waits at least, in seconds: what was set last, within the bounds.
    function getMinDelay() public view override returns (uint256) {
        return Math.min(Math.max(super.getMinDelay(), SHORTEST_DELAY), LONGEST_DELAY);
    }

    function _only(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {Entries} from "./Entries.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title Idle stake: CAI that lies here and does nothing, until it votes or goes back.
abstract contract IdleStake is Entries, ReentrancyGuardTransient {
    using SafeERC20 for CuckooToken;

    /// @inheritdoc IStaking
    function stake(uint256 amount) external {
        _stake(amount);
    }

    /// @inheritdoc IStaking
    function stakeWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // Anyone may have used the permit before us, so that its failure says nothing; the transfer decides.
        // slither-disable-next-line reentrancy-benign,reentrancy-events -- our own token calls nobody back
        try TOKEN.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _stake(amount);
    }

    /// @inheritdoc IStaking
    function unstake(uint256 amount) external nonReentrant {
        if (amount == 0) revert AmountZero();
        _takeIdle(msg.sender, amount);
        emit Unstaked(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function idleStake(address staker) external view returns (uint256) {
        return _idle[staker];
    }

    function _stake(uint256 amount) private nonReentrant whenEntriesOpen {
        if (amount == 0) revert AmountZero();
        _idle[msg.sender] += amount;
        emit Staked(msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }
}

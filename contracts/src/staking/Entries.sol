// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../interfaces/IStaking.sol";
import {StakingState} from "./StakingState.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title The pause. It stops entries only, lapses by itself, and can not be renewed without a gap.
abstract contract Entries is StakingState, Ownable2Step {
    /// @dev How long a pause lasts at most, in seconds, and how long nobody can pause after one.
    uint40 private constant LONGEST_PAUSE = 7 days;

    /// @dev Refuses to run while entries are paused.
    modifier whenEntriesOpen() {
        _requireEntriesOpen();
        _;
    }

    /// @dev Lets the guardian through, and the owner.
    modifier onlyGuardian() {
        _requireGuardian();
        _;
    }

    /// @inheritdoc IStaking
    function setGuardian(address account) external onlyOwner {
        // slither-disable-next-line missing-zero-check -- zero means nobody
        _guardian = account;
        emit GuardianChanged(account);
    }

    /// @inheritdoc IStaking
    function pauseEntries(uint32 durationS) external onlyGuardian {
        if (durationS > LONGEST_PAUSE) revert PauseTooLong(LONGEST_PAUSE, durationS);
        if (block.timestamp < _pauseAllowedFrom) revert PauseTooSoon(_pauseAllowedFrom);
        _pausedUntil = _now() + durationS;
        _pauseAllowedFrom = _pausedUntil + LONGEST_PAUSE;
        emit EntriesPaused(_pausedUntil);
    }

    /// @inheritdoc IStaking
    function resumeEntries() external onlyGuardian {
        if (block.timestamp < _pausedUntil) _pausedUntil = _now();
        emit EntriesResumed();
    }

    /// @inheritdoc IStaking
    function entriesPausedUntil() external view returns (uint40) {
        return _pausedUntil;
    }

    /// @inheritdoc IStaking
    function guardian() external view returns (address) {
        return _guardian;
    }

    function _requireGuardian() private view {
        if (msg.sender != _guardian && msg.sender != owner()) revert NotGuardian(msg.sender);
    }

    function _requireEntriesOpen() private view {
        if (block.timestamp < _pausedUntil) revert EntriesArePaused(_pausedUntil);
    }
}

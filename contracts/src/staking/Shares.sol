// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice One tranche of stake behind a node, in two slots.
/// @param tokens All stake in it, in wei; at most all CAI there is, 2^90.
/// @param generation Rises by one at a wipe.
/// @param active Shares that count and earn.
/// @param shares All shares. `tokens <= shares <= tokens x 10^9` always.
/// @param rewardPerShare What one active share has earned in this generation, x `Shares.SCALE`.
struct TrancheState {
    uint96 tokens;
    uint32 generation;
    uint128 active;
    uint128 shares;
    uint128 rewardPerShare;
}

/// @notice What one staker holds in one generation of a tranche, in one slot.
/// @param shares Its active shares.
/// @param debt What the shares would have earned had they always been there, minus what they are still owed; modulo
/// 2^128, because only differences matter.
struct Position {
    uint128 shares;
    uint128 debt;
}

/// @title Share arithmetic of a tranche. Every rounding is in favour of the tranche, hence of those who stay.
library Shares {
    /// @dev Unit of `rewardPerShare`.
    uint256 internal constant SCALE = 1e18;

    /// @dev A tranche with less active stake than this, in wei, takes no rewards: it bounds `rewardPerShare`.
    uint256 internal constant EARNING_MINIMUM = 1 ether;

    /// @dev Below a price of 10^-9 a tranche is wiped, so that shares fit their type.
    uint256 private constant WIPE_RATIO = 1e9;

    /// @dev What the active shares are worth, in wei.
    function activeTokens(TrancheState storage tranche) internal view returns (uint256) {
        uint256 shares = tranche.shares;
        return shares == 0 ? 0 : uint256(tranche.active) * tranche.tokens / shares;
    }

    /// @dev Adds tokens and the active shares for them.
    function deposit(TrancheState storage tranche, uint256 amount) internal returns (uint256 shares) {
        uint256 all = tranche.shares;
        shares = all == 0 ? amount : amount * all / tranche.tokens;
        tranche.tokens = SafeCast.toUint96(tranche.tokens + amount);
        tranche.shares = SafeCast.toUint128(all + shares);
        tranche.active = SafeCast.toUint128(tranche.active + shares);
    }

    /// @dev Shares stop to count; they stay in the tranche.
    function deactivate(TrancheState storage tranche, uint256 shares) internal {
        tranche.active = SafeCast.toUint128(tranche.active - shares);
    }

    /// @dev Shares count again.
    function activate(TrancheState storage tranche, uint256 shares) internal {
        tranche.active = SafeCast.toUint128(tranche.active + shares);
    }

    /// @dev Takes shares that are not active any more out, with the tokens they are worth.
    function withdraw(TrancheState storage tranche, uint256 shares) internal returns (uint256 amount) {
        uint256 all = tranche.shares;
        uint256 tokens = tranche.tokens;
        amount = shares * tokens / all;
        tranche.tokens = SafeCast.toUint96(tokens - amount);
        tranche.shares = SafeCast.toUint128(all - shares);
    }

    /// @dev Whether a slash left so little that the tranche has to start anew.
    function isWorthless(TrancheState storage tranche) internal view returns (bool) {
        return uint256(tranche.tokens) * WIPE_RATIO < tranche.shares;
    }

    /// @dev Shares `amount` out among the active shares.
    /// @return rest What can not be expressed per share; it is to be kept for the next time.
    function distribute(TrancheState storage tranche, uint256 amount) internal returns (uint256 rest) {
        if (amount == 0) return 0;
        uint256 active = tranche.active;
        uint256 perShare = amount * SCALE / active;
        tranche.rewardPerShare = SafeCast.toUint128(tranche.rewardPerShare + perShare);
        // slither-disable-next-line divide-before-multiply -- that is how the rest is found
        return amount - (perShare * active + SCALE - 1) / SCALE;
    }

    /// @dev Adds active shares to a position; they earn from now on.
    function addShares(Position storage position, uint256 shares, uint256 rewardPerShare) internal {
        position.shares = SafeCast.toUint128(position.shares + shares);
        unchecked {
            position.debt = position.debt + _modulo((shares * rewardPerShare + SCALE - 1) / SCALE);
        }
    }

    /// @dev Takes active shares out of a position; what they earned stays owed.
    function removeShares(Position storage position, uint256 shares, uint256 rewardPerShare) internal {
        position.shares = SafeCast.toUint128(position.shares - shares);
        unchecked {
            position.debt = position.debt - _modulo(shares * rewardPerShare / SCALE);
        }
    }

    /// @dev What a position is owed, in wei.
    function owed(Position storage position, uint256 rewardPerShare) internal view returns (uint256) {
        uint256 earned = uint256(position.shares) * rewardPerShare / SCALE;
        uint128 difference;
        unchecked {
            difference = _modulo(earned) - position.debt;
        }
        // The upper half stands for negative numbers: rounding can put a position one wei below zero.
        return difference >> 127 == 0 ? difference : 0;
    }

    /// @dev Writes off what a position is owed, because it is paid.
    function collect(Position storage position, uint256 rewardPerShare) internal returns (uint256 amount) {
        amount = owed(position, rewardPerShare);
        unchecked {
            position.debt = position.debt + _modulo(amount);
        }
    }

    /// @dev The value modulo 2^128.
    function _modulo(uint256 value) private pure returns (uint128) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(value); // wraps on purpose: `owed` needs the difference of two such values only
    }
}

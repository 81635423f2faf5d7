// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputeReads} from "./disputes/DisputeReads.sol";
import {DisputesState} from "./disputes/DisputesState.sol";
import {Judgement} from "./disputes/Judgement.sol";
import {DisputeParameters} from "./interfaces/DisputeTypes.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title Disputes: what is wrong with a result, proven at once or judged by a jury of staked miners.
/// @notice Put together here; each part stands in a file of its own under `disputes/`. Not audited.
contract Disputes is Judgement, DisputeReads {
    /// @param staking Where stakes are; it must have been told at its deployment that this contract may slash.
    /// @param randomness What draws juries.
    /// @param parameters What a jury is and costs; refused if out of bounds.
    constructor(IStaking staking, IRandomness randomness, DisputeParameters memory parameters)
        DisputesState(staking, randomness, parameters)
    {}
}

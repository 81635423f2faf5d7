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
    /// @param staking_ Where stakes are; it must have been told at its deployment that this contract may slash.
    /// @param randomness_ What draws juries.
    /// @param parameters_ What a jury is and costs; refused if out of bounds.
    constructor(IStaking staking_, IRandomness randomness_, DisputeParameters memory parameters_)
        DisputesState(staking_, randomness_, parameters_)
    {}
}

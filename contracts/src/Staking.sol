// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "./CuckooToken.sol";
import {Parameters} from "./interfaces/StakingTypes.sol";
import {Reads} from "./staking/Reads.sol";
import {Slashing} from "./staking/Slashing.sol";
import {StakingParameters} from "./staking/StakingParameters.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title Staking: registry of nodes, votes, rewards and slashing.
/// @notice Put together here; each part stands in a file of its own under `staking/`. Not audited.
contract Staking is Slashing, Reads {
    /// @param token_ The token that is staked.
    /// @param owner Who sets the emission rate and may pause entries.
    /// @param parameters_ The network parameters; refused if they are out of bounds.
    /// @param slashers Who may slash, for ever; may be empty.
    constructor(CuckooToken token_, address owner, Parameters memory parameters_, address[] memory slashers)
        StakingParameters(token_, parameters_)
        Ownable(owner)
        EIP712("Cuckoo", "1")
        Slashing(slashers)
    {}
}

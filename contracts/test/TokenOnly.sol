// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../src/CuckooToken.sol";

/// @title As much of a Staking as an Escrow asks for when it is deployed.
contract TokenOnly {
    CuckooToken private immutable TOKEN;

    constructor(CuckooToken token_) {
        TOKEN = token_;
    }

    /// @notice The token that is staked.
    function token() external view returns (CuckooToken) {
        return TOKEN;
    }
}

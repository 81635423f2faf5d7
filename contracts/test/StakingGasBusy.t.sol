// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingGasTest} from "./StakingGas.t.sol";

/// @title The same while emission and fees stream, so that each of them settles everything there is.
/// forge-config: default.isolate = true
contract StakingGasBusyTest is StakingGasTest {
    function setUp() public override {
        super.setUp();
        VM.prank(FUNDER);
        staking.fundReserve(1_000_000 * CAI);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(CAI);
        addFees(_miner, 10 * CAI);
        pass(30);
        claimOf(_miner, Tranche.Votes, VOTER2);
    }

    function prefix() internal pure override returns (string memory) {
        return "busy: ";
    }

    function extra() internal pure override returns (uint256) {
        return 40_000;
    }
}

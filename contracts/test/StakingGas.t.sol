// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, Registration, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title What transactions with Staking cost, base cost included. The figures are kept in `snapshots/Staking.json`.
/// forge-config: default.isolate = true
contract StakingGasTest is StakingFixture {
    uint32 internal _miner;

    function setUp() public virtual override {
        super.setUp();
        _miner = newMiner();
        voteFor(_miner, VOTER2, 1000 * CAI);
        VM.warp((time() / 20 + 2) * 20);
    }

    function prefix() internal pure virtual returns (string memory) {
        return "quiet: ";
    }

    function test_gas__register() public {
        Registration memory r = registration(OTHER, Role.Miner, 20_000 * CAI, 0xFEE1);
        VM.prank(OTHER);
        staking.register(r);
        kept("register", 400_000);
    }

    function test_gas__vote() public {
        pass(1);
        voteFor(_miner, VOTER, 1000 * CAI);
        kept("vote, new", 150_000);
        pass(1);
        voteFor(_miner, VOTER, 1000 * CAI);
        kept("vote, again", 115_000);
    }

    function test_gas__unvote() public {
        voteFor(_miner, VOTER, 1000 * CAI);
        pass(1);
        uint256 bucket = unvoteFrom(_miner, Tranche.Votes, VOTER, 100 * CAI);
        kept("unvote, new bucket", 115_000);
        pass(1);
        unvoteFrom(_miner, Tranche.Votes, VOTER, 100 * CAI);
        kept("unvote, same bucket", 95_000);
        pass(1);
        VM.prank(VOTER);
        staking.revote(_miner, Tranche.Votes, 100 * CAI, bucket);
        kept("revote", 115_000);
        VM.warp(bucket * 10);
        staking.release(_miner, Tranche.Votes, VOTER, bucket);
        kept("release", 60_000);
    }

    function test_gas__claim() public {
        voteFor(_miner, VOTER, 1000 * CAI);
        pass(1);
        claimOf(_miner, Tranche.Votes, VOTER);
        kept("claim, first", 95_000);
        pass(1);
        claimOf(_miner, Tranche.Votes, VOTER);
        kept("claim, again", 80_000);
    }

    function test_gas__slash() public {
        pass(1);
        slashNode(_miner, Fault.Judged, 1, 0);
        kept("slash", 135_000);
    }

    function test_gas__idle() public {
        VM.prank(VOTER);
        staking.stake(CAI);
        kept("stake", 60_000);
        VM.prank(VOTER);
        staking.unstake(CAI);
        kept("unstake", 60_000);
    }

    function kept(string memory name, uint256 most) private {
        VM.assertLe(VM.snapshotGasLastCall("Staking", string.concat(prefix(), name)), most + extra());
    }

    function extra() internal pure virtual returns (uint256) {
        return 0;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {Staking} from "../src/Staking.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title A network whose Staking lies where the golden vectors were signed for.
contract GoldenNetwork is StakingFixture {
    address private immutable PLACE;
    address private immutable STAKER;

    constructor(address place, address staker) {
        PLACE = place;
        STAKER = staker;
    }

    function setUp() public override {
        super.setUp();
        VM.etch(PLACE, address(staking).code);
        staking = Staking(PLACE);
        VM.assertTrue(token.transfer(STAKER, 2_000_000 * CAI));
        _stakeAs(STAKER, 2_000_000 * CAI);
        _stakeAs(OWNER, 20_000 * CAI);
    }

    /// @notice Registers a miner.
    function addMiner() external returns (uint32) {
        return newMiner();
    }

    /// @notice Pays into an escrow.
    function deposit(Escrow escrow, uint32 coordinator, uint32 miner, uint256 amount) external {
        token.approve(address(escrow), amount);
        escrow.deposit(coordinator, miner, amount);
    }

    function _stakeAs(address staker, uint256 amount) private {
        VM.startPrank(staker);
        token.approve(PLACE, amount);
        staking.stake(amount);
        VM.stopPrank();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../src/interfaces/IStaking.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

contract IdleStakeTest is StakingFixture {
    function test_stake__approved__becomes_idle() public {
        VM.expectEmit(address(staking));
        emit IStaking.Staked(VOTER, 5 * CAI);
        VM.prank(VOTER);
        staking.stake(5 * CAI);
        VM.assertEq(staking.idleStake(VOTER), 50_000_005 * CAI);
        VM.assertEq(token.balanceOf(address(staking)), 200_000_005 * CAI);
    }

    function test_stake__zero__refused() public {
        VM.expectRevert(IStaking.AmountZero.selector);
        VM.prank(VOTER);
        staking.stake(0);
    }

    function test_stake__not_approved__refused() public {
        VM.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(staking), 0, 1)
        );
        staking.stake(1);
    }

    function test_unstake__idle__comes_back() public {
        VM.expectEmit(address(staking));
        emit IStaking.Unstaked(VOTER, 7 * CAI);
        VM.prank(VOTER);
        staking.unstake(7 * CAI);
        VM.assertEq(staking.idleStake(VOTER), 49_999_993 * CAI);
        VM.assertEq(token.balanceOf(VOTER), 50_000_007 * CAI);
    }

    function test_unstake__more_than_idle__refused() public {
        VM.expectRevert(abi.encodeWithSelector(IStaking.IdleStakeTooLow.selector, 1, 0));
        staking.unstake(1);
    }

    function test_unstake__zero__refused() public {
        VM.expectRevert(IStaking.AmountZero.selector);
        VM.prank(VOTER);
        staking.unstake(0);
    }

    function signedPermit(uint256 key, uint256 amount) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 permit = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                VM.addr(key),
                address(staking),
                amount,
                token.nonces(VM.addr(key)),
                time()
            )
        );
        return VM.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), permit)));
    }

    function test_stakeWithPermit__signed__needs_no_approval() public {
        address holder = VM.addr(9);
        VM.assertTrue(token.transfer(holder, 3 * CAI));
        (uint8 v, bytes32 r, bytes32 s) = signedPermit(9, 3 * CAI);
        VM.prank(holder);
        staking.stakeWithPermit(3 * CAI, time(), v, r, s);
        VM.assertEq(staking.idleStake(holder), 3 * CAI);
    }

    function test_stakeWithPermit__permit_used_by_somebody__still_stakes() public {
        address holder = VM.addr(9);
        VM.assertTrue(token.transfer(holder, 3 * CAI));
        (uint8 v, bytes32 r, bytes32 s) = signedPermit(9, 3 * CAI);
        token.permit(holder, address(staking), 3 * CAI, time(), v, r, s);
        VM.prank(holder);
        staking.stakeWithPermit(3 * CAI, time(), v, r, s);
        VM.assertEq(staking.idleStake(holder), 3 * CAI);
    }

    function test_stakeWithPermit__bad_permit__refused_by_the_allowance() public {
        address holder = VM.addr(9);
        VM.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(staking), 0, 3 * CAI)
        );
        VM.prank(holder);
        staking.stakeWithPermit(3 * CAI, time(), 27, bytes32(uint256(1)), bytes32(uint256(1)));
    }
}

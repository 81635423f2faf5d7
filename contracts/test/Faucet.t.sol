// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../src/CuckooToken.sol";
import {Faucet} from "../src/Faucet.sol";
import {IVm} from "./IVm.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

contract FaucetTest {
    IVm private constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address private constant ADMIN = address(0x60);
    address private constant ANYONE = address(0x61);
    address private constant MINER = address(0x62);

    CuckooToken private _token;
    Faucet private _faucet;

    function setUp() public {
        VM.warp(1_800_000_000);
        address[] memory holders = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (holders[0], amounts[0]) = (address(this), 1_000_000_000 ether);
        _token = new CuckooToken(holders, amounts);
        _faucet = new Faucet(_token, ADMIN, 3_000_000 ether, 10 ether, 60);
        VM.assertTrue(_token.transfer(address(_faucet), 10_000_000 ether));
        VM.deal(address(_faucet), 25 ether);
    }

    function test_drip__for_another__gives_both_coins() public {
        VM.expectEmit(address(_faucet));
        emit Faucet.Dripped(MINER, ANYONE, 3_000_000 ether, 10 ether);
        VM.prank(ANYONE);
        _faucet.drip(MINER);
        VM.assertEq(_token.balanceOf(MINER), 3_000_000 ether);
        VM.assertEq(MINER.balance, 10 ether);
        VM.assertEq(_faucet.nextDripAt(MINER), VM.getBlockTimestamp() + 60);
    }

    function test_drip__before_cooldown__refused_until_it_is_over() public {
        _faucet.drip(MINER);
        VM.expectRevert(abi.encodeWithSelector(Faucet.CooldownNotOver.selector, MINER, VM.getBlockTimestamp() + 60));
        _faucet.drip(MINER);
        _faucet.drip(ANYONE);
        VM.warp(VM.getBlockTimestamp() + 60);
        VM.deal(address(_faucet), 10 ether);
        _faucet.drip(MINER);
        VM.assertEq(_token.balanceOf(MINER), 6_000_000 ether);
    }

    function test_drip__out_of_native_coin__refused() public {
        VM.deal(address(_faucet), 1 ether);
        VM.expectRevert(abi.encodeWithSelector(Errors.InsufficientBalance.selector, 1 ether, 10 ether));
        _faucet.drip(MINER);
    }

    function test_grant__by_admin__gives_any_amount() public {
        VM.expectEmit(address(_faucet));
        emit Faucet.Granted(MINER, 4_000_000 ether, 0);
        VM.prank(ADMIN);
        _faucet.grant(MINER, 4_000_000 ether, 0);
        VM.assertEq(_token.balanceOf(MINER), 4_000_000 ether);
        _faucet.drip(MINER);
    }

    function test_grant__by_anyone__refused() public {
        VM.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE));
        VM.prank(ANYONE);
        _faucet.grant(ANYONE, 1, 0);
    }

    function test_receive__native_coin__kept() public {
        VM.deal(address(this), 3 ether);
        (bool sent,) = address(_faucet).call{value: 3 ether}("");
        VM.assertTrue(sent);
        VM.assertEq(address(_faucet).balance, 28 ether);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../src/CuckooToken.sol";
import {IVm} from "./IVm.sol";

contract CuckooTokenTest {
    IVm private constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant SUPPLY = 1_000_000_000 ether;

    function allocation(uint256 first, uint256 second) private pure returns (address[] memory, uint256[] memory) {
        address[] memory holders = new address[](2);
        uint256[] memory amounts = new uint256[](2);
        (holders[0], holders[1]) = (address(1), address(2));
        (amounts[0], amounts[1]) = (first, second);
        return (holders, amounts);
    }

    function test_constructor__whole_supply_allocated__minted() public {
        (address[] memory holders, uint256[] memory amounts) = allocation(1 ether, SUPPLY - 1 ether);
        CuckooToken token = new CuckooToken(holders, amounts);
        VM.assertEq(token.totalSupply(), SUPPLY);
        VM.assertEq(token.balanceOf(address(1)), 1 ether);
        VM.assertEq(token.balanceOf(address(2)), SUPPLY - 1 ether);
        VM.assertEq(token.decimals(), 18);
        VM.assertEq(token.symbol(), "CAI");
        VM.assertEq(token.name(), "Cuckoo");
    }

    function test_constructor__not_the_supply__refused() public {
        (address[] memory holders, uint256[] memory amounts) = allocation(1 ether, 2 ether);
        VM.expectRevert(abi.encodeWithSelector(CuckooToken.AllocationNotSupply.selector, SUPPLY, 3 ether));
        new CuckooToken(holders, amounts);
    }

    function test_constructor__lengths_differ__refused() public {
        (address[] memory holders,) = allocation(1 ether, 2 ether);
        VM.expectRevert(abi.encodeWithSelector(CuckooToken.AllocationMismatch.selector, 2, 1));
        new CuckooToken(holders, new uint256[](1));
    }

    function test_permit__signed__allows() public {
        uint256 key = 7;
        (address[] memory holders, uint256[] memory amounts) = allocation(0, SUPPLY);
        holders[1] = VM.addr(key);
        CuckooToken token = new CuckooToken(holders, amounts);
        bytes32 permit = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                holders[1],
                address(this),
                5,
                0,
                VM.getBlockTimestamp()
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            VM.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), permit)));
        token.permit(holders[1], address(this), 5, VM.getBlockTimestamp(), v, r, s);
        VM.assertEq(token.allowance(holders[1], address(this)), 5);
        VM.assertEq(token.nonces(holders[1]), 1);
    }

    function test_burn__own_balance__lowers_the_supply() public {
        (address[] memory holders, uint256[] memory amounts) = allocation(1 ether, SUPPLY - 1 ether);
        CuckooToken token = new CuckooToken(holders, amounts);
        VM.prank(address(1));
        token.burn(1 ether);
        VM.assertEq(token.totalSupply(), SUPPLY - 1 ether);
    }
}

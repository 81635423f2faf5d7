// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVm} from "../IVm.sol";
import {Everybody} from "./Everybody.sol";

/// @title What holds whatever anybody does. `make invariants` runs it until each action has succeeded a thousand times.
contract InvariantsTest {
    IVm private constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    Everybody private _everybody;
    uint256 private _checks;

    function setUp() public {
        _everybody = new Everybody();
        _everybody.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_everybody);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        selectors[0].addr = address(_everybody);
        selectors[0].selectors = new bytes4[](1);
        selectors[0].selectors[0] = Everybody.act.selector;
    }

    function invariant_books__add_up() public {
        _everybody.check(uint256(keccak256(abi.encode(++_checks))));
    }

    function afterInvariant() public {
        _everybody.report(VM.envOr("LEAST_SUCCESSES", uint256(0)));
        _everybody.everybodyLeaves();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title CAI, the token that is staked and that work is paid in.
/// @notice ERC-20 with permit. The whole supply is minted once, at deployment; nobody can mint afterwards. Slashed stake
/// is burned.
contract CuckooToken is ERC20, ERC20Burnable, ERC20Permit {
    /// @notice All CAI there will ever be, in wei.
    uint256 public constant SUPPLY = 1_000_000_000 ether;

    /// @notice The allocation names `holders` addresses and `amounts` amounts.
    error AllocationMismatch(uint256 holders, uint256 amounts);

    /// @notice The allocation hands out `actual` wei where the supply is `required`.
    error AllocationNotSupply(uint256 required, uint256 actual);

    /// @notice Mints the whole supply to the allocation.
    /// @param holders Who receives.
    /// @param amounts What each of them receives, in wei, in the same order; together exactly `SUPPLY`.
    constructor(address[] memory holders, uint256[] memory amounts) ERC20("Cuckoo", "CAI") ERC20Permit("Cuckoo") {
        if (holders.length != amounts.length) revert AllocationMismatch(holders.length, amounts.length);
        for (uint256 i = 0; i < holders.length; ++i) {
            _mint(holders[i], amounts[i]);
        }
        if (totalSupply() != SUPPLY) revert AllocationNotSupply(SUPPLY, totalSupply());
    }
}

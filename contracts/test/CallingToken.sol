// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ITransferWatcher} from "./ITransferWatcher.sol";

/// @title A token that calls somebody in the middle of every transfer, as ours does not.
contract CallingToken {
    ITransferWatcher private immutable WATCHER;

    constructor(ITransferWatcher watcher) {
        WATCHER = watcher;
    }

    function transfer(address, uint256) external returns (bool) {
        WATCHER.duringTransfer();
        return true;
    }

    function transferFrom(address, address, uint256) external returns (bool) {
        WATCHER.duringTransfer();
        return true;
    }

    function burn(uint256) external {
        WATCHER.duringTransfer();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Who is called in the middle of a transfer.
interface ITransferWatcher {
    function duringTransfer() external;
}

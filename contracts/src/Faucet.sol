// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Faucet of a test network.
/// @notice Gives CAI, and some native coin for gas, to whoever asks or is asked for. Not deployed on the main network.
contract Faucet is Ownable2Step {
    using SafeERC20 for IERC20;

    /// @notice The token it gives.
    IERC20 public immutable TOKEN;

    /// @notice CAI in one drip, in wei.
    uint256 public immutable DRIP_CAI;

    /// @notice Native coin in one drip, in wei.
    uint256 public immutable DRIP_NATIVE;

    /// @notice How long an address waits for its next drip, in seconds.
    uint256 public immutable COOLDOWN;

    /// @notice From when an address can be dripped to again, unix seconds.
    mapping(address account => uint256 time) public nextDripAt;

    event Dripped(address indexed to, address indexed caller, uint256 cai, uint256 native);
    event Granted(address indexed to, uint256 cai, uint256 native);

    /// @notice `to` was dripped to; it can be again from `availableAt` on.
    error CooldownNotOver(address to, uint256 availableAt);

    /// @param token The token it gives; the faucet must be funded with it.
    /// @param admin Who may grant more than a drip.
    /// @param dripCai CAI in one drip, in wei.
    /// @param dripNative Native coin in one drip, in wei.
    /// @param cooldownS How long an address waits for its next drip, in seconds.
    constructor(IERC20 token, address admin, uint256 dripCai, uint256 dripNative, uint256 cooldownS)
        payable
        Ownable(admin)
    {
        TOKEN = token;
        DRIP_CAI = dripCai;
        DRIP_NATIVE = dripNative;
        COOLDOWN = cooldownS;
    }

    /// @notice Takes native coin to give away.
    receive() external payable {}

    /// @notice Gives one drip to `to`. Anyone may call, for anyone.
    /// @param to Who receives.
    function drip(address to) external {
        uint256 availableAt = nextDripAt[to];
        if (block.timestamp < availableAt) revert CooldownNotOver(to, availableAt);
        nextDripAt[to] = block.timestamp + COOLDOWN;
        emit Dripped(to, msg.sender, DRIP_CAI, DRIP_NATIVE);
        _give(to, DRIP_CAI, DRIP_NATIVE);
    }

    /// @notice Gives any amount to `to`, without cooldown. Admin only.
    /// @param to Who receives.
    /// @param cai CAI, in wei.
    /// @param native Native coin, in wei.
    function grant(address to, uint256 cai, uint256 native) external onlyOwner {
        emit Granted(to, cai, native);
        _give(to, cai, native);
    }

    function _give(address to, uint256 cai, uint256 native) private {
        TOKEN.safeTransfer(to, cai);
        if (native > 0) Address.sendValue(payable(to), native);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {Staking} from "../src/Staking.sol";
import {Voucher} from "../src/interfaces/IEscrow.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Registration, Role} from "../src/interfaces/StakingTypes.sol";
import {GoldenFixture} from "./GoldenFixture.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title The contracts themselves take what Python signed in `golden/vectors.json`.
contract GoldenContractsTest is GoldenFixture {
    Network private _network;
    Staking private _staking;

    function setUp() public override {
        super.setUp();
        _network = new Network(vectorAddress("staking"), addressAt("operatorConsent.fields", "owner"));
        _network.setUp();
        _staking = Staking(vectorAddress("staking"));
    }

    function test_staking__golden_consent__registers_the_operator() public {
        Registration memory r = _registration();
        uint32 node = _register(r);
        (uint32 found,) = _staking.operatorOf(vectorAddress("signer"));
        VM.assertEq(found, node);
    }

    function test_staking__golden_consent_for_another_deadline__refused() public {
        Registration memory r = _registration();
        ++r.deadline;
        VM.expectPartialRevert(IStaking.ConsentInvalid.selector);
        _register(r);
    }

    function test_escrow__golden_voucher__has_its_digest_and_is_paid() public {
        string memory f = "voucher.fields";
        uint32 coordinator = _register(_registration());
        uint32 miner = _network.addMiner();
        VM.assertEq(coordinator, numberAt(f, "coordinatorNode"));
        VM.assertEq(miner, numberAt(f, "minerNode"));
        Escrow escrow = new Escrow(IStaking(address(_staking)), 30);
        Voucher memory voucher =
            Voucher({coordinatorNode: coordinator, minerNode: miner, cumulative: numberAt(f, "cumulative")});
        VM.assertEq(escrow.voucherDigest(voucher), bytes32At("voucher", "digest"));
        _network.deposit(escrow, coordinator, miner, voucher.cumulative);
        VM.assertEq(escrow.redeem(voucher, bytesAt("voucher", "signature")), voucher.cumulative);
    }

    function _registration() private view returns (Registration memory) {
        string memory f = "operatorConsent.fields";
        VM.assertEq(numberAt(f, "role"), uint256(Role.Coordinator));
        return Registration({
            role: Role.Coordinator,
            operator: addressAt(f, "operator"),
            introduction: "{}",
            commissionBps: 0,
            maxCommissionBps: 0,
            amount: 2_000_000 ether,
            deadline: numberAt(f, "deadline"),
            operatorSig: bytesAt("operatorConsent", "signature")
        });
    }

    function _register(Registration memory r) private returns (uint32) {
        VM.prank(addressAt("operatorConsent.fields", "owner"));
        return _staking.register(r);
    }
}

/// @title A network whose Staking lies where the golden vectors were signed for.
contract Network is StakingFixture {
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
        token.transfer(STAKER, 2_000_000 * CAI);
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

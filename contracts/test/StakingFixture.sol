// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../src/CuckooToken.sol";
import {Staking} from "../src/Staking.sol";
import {Fault, NodeView, Parameters, Registration, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {IVm} from "./IVm.sol";

/// @title A network on a development chain, with people in it, for the tests of Staking.
abstract contract StakingFixture {
    IVm internal constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant CAI = 1 ether;
    uint256 internal constant OPERATOR_KEY = 0xA11CE;

    address internal constant GOVERNOR = address(0x60);
    address internal constant OWNER = address(0x01001);
    address internal constant OTHER = address(0x01002);
    address internal constant VOTER = address(0x01003);
    address internal constant VOTER2 = address(0x01004);
    address internal constant SLASHER = address(0x01005);
    address internal constant FUNDER = address(0x01006);

    CuckooToken internal token;
    Staking internal staking;
    uint256 internal start;
    uint256 private _lastKey = OPERATOR_KEY;

    function setUp() public virtual {
        start = 1_800_000_000;
        VM.warp(start);
        VM.roll(100);
        VM.chainId(31_337);
        address[] memory holders = new address[](6);
        uint256[] memory amounts = new uint256[](6);
        (holders[0], holders[1], holders[2]) = (OWNER, OTHER, VOTER);
        (holders[3], holders[4], holders[5]) = (VOTER2, FUNDER, address(this));
        for (uint256 i = 0; i < 6; ++i) {
            amounts[i] = 100_000_000 * CAI;
        }
        amounts[5] = 500_000_000 * CAI;
        token = new CuckooToken(holders, amounts);
        address[] memory slashers = new address[](1);
        slashers[0] = SLASHER;
        staking = new Staking(token, GOVERNOR, devnet(), slashers);
        for (uint256 i = 0; i < 5; ++i) {
            VM.prank(holders[i]);
            token.approve(address(staking), type(uint256).max);
        }
        for (uint256 i = 0; i < 4; ++i) {
            VM.prank(holders[i]);
            staking.stake(50_000_000 * CAI);
        }
    }

    /// @dev The parameters of the development network, DESIGN's section 12.
    function devnet() internal pure returns (Parameters memory) {
        return Parameters({
            unbonding: 240,
            releaseBucket: 10,
            reportWindow: 60,
            claim: 10,
            commit: 20,
            reveal: 10,
            appeal: 10,
            buffer: 60,
            longestDeadline: 60,
            feeStream: 60,
            juryEpoch: 20,
            drawPeriod: 10,
            drawLead: 10,
            commissionNotice: 260,
            jail: 20
        });
    }

    /// @dev The operator's consent, signed.
    function consent(address owner, Role role, uint256 key, uint256 deadline) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Cuckoo"),
                keccak256("1"),
                block.chainid,
                address(staking)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("OperatorConsent(address owner,uint8 role,address operator,uint256 deadline)"),
                owner,
                role,
                VM.addr(key),
                deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev A registration that is accepted; tests change one thing in it.
    function registration(address owner, Role role, uint256 amount, uint256 key)
        internal
        view
        returns (Registration memory)
    {
        return Registration({
            role: role,
            operator: VM.addr(key),
            introduction: '{"name":"a node"}',
            commissionBps: 1000,
            maxCommissionBps: 2000,
            amount: amount,
            deadline: time() + 60,
            operatorSig: consent(owner, role, key, time() + 60)
        });
    }

    /// @dev Registers a node with an operator key of its own.
    function newNode(address owner, Role role, uint256 amount) internal returns (uint32 node) {
        Registration memory r = registration(owner, role, amount, ++_lastKey);
        VM.prank(owner);
        return staking.register(r);
    }

    function newMiner() internal returns (uint32) {
        return newNode(OWNER, Role.Miner, 20_000 * CAI);
    }

    function voteFor(uint32 node, address voter, uint256 amount) internal returns (uint256) {
        VM.prank(voter);
        return staking.vote(node, Tranche.Votes, amount, 0);
    }

    function unvoteFrom(uint32 node, Tranche tranche, address voter, uint256 shares) internal returns (uint256) {
        VM.prank(voter);
        return staking.unvote(node, tranche, shares);
    }

    function slashNode(uint32 node, Fault fault, uint256 faultId, uint256 payout)
        internal
        returns (uint256, uint256, uint256)
    {
        VM.prank(SLASHER);
        return staking.slash(node, fault, bytes32(faultId), payout);
    }

    function claimOf(uint32 node, Tranche tranche, address staker) internal returns (uint256) {
        VM.prank(staker);
        return staking.claim(node, tranche);
    }

    function addFees(uint32 node, uint256 amount) internal {
        VM.prank(FUNDER);
        staking.addFees(node, amount);
    }

    function weightOf(uint32 node) internal view returns (uint256) {
        return staking.nodeOf(node).weight;
    }

    function rowOf(uint32 node) internal view returns (NodeView memory) {
        return staking.nodeOf(node);
    }

    /// @dev The present time. The compiler takes `block.timestamp` for constant within a call, and warping changes it.
    function time() internal view returns (uint256) {
        return VM.getBlockTimestamp();
    }

    /// @dev A time after the test began.
    function sinceStart(uint256 seconds_) internal view returns (uint40) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint40(start + seconds_); // enough for 34,000 years
    }

    function pass(uint256 seconds_) internal {
        VM.warp(time() + seconds_);
    }

    function expectError(bytes memory reason) internal {
        VM.expectRevert(reason);
    }
}

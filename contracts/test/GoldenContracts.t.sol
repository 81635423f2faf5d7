// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../src/Escrow.sol";
import {Staking} from "../src/Staking.sol";
import {Messages} from "../src/disputes/Messages.sol";
import {Assignment, Receipt, RuntimeProfile} from "../src/interfaces/DisputeTypes.sol";
import {Voucher} from "../src/interfaces/IEscrow.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Registration, Role} from "../src/interfaces/StakingTypes.sol";
import {GoldenFixture} from "./GoldenFixture.sol";
import {GoldenNetwork} from "./GoldenNetwork.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title The contracts themselves take what Python signed in `golden/vectors.json`.
contract GoldenContractsTest is GoldenFixture {
    GoldenNetwork private _network;
    Staking private _staking;

    function setUp() public override {
        super.setUp();
        _network = new GoldenNetwork(vectorAddress("staking"), addressAt("operatorConsent.fields", "owner"));
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

    function test_messages__golden_assignment__has_its_hash_and_digest() public view {
        string memory f = "assignment.fields";
        Assignment memory a = Assignment({
            coordinatorNode: uint32(numberAt(f, "coordinatorNode")),
            minerNode: uint32(numberAt(f, "minerNode")),
            taskId: bytes16(bytesAt(f, "taskId")),
            attempt: uint16(numberAt(f, "attempt")),
            sequence: uint64(numberAt(f, "sequence")),
            parametersHash: bytes32At("taskParameters", "structHash"),
            price: numberAt(f, "price"),
            deadline: uint64(numberAt(f, "deadline")),
            seedTip: bytes32At(f, "seedTip"),
            drawIndex: uint64(numberAt(f, "drawIndex")),
            drawHead: bytes32At(f, "drawHead"),
            drawBlock: uint64(numberAt(f, "drawBlock"))
        });
        _hasDigest("assignment", Messages.hashAssignment(a));
    }

    function test_messages__golden_receipt__has_its_hash_and_digest() public view {
        string memory f = "receipt.fields";
        string memory p = "receipt.fields.profile";
        Receipt memory r = Receipt({
            assignmentHash: bytes32At(f, "assignmentHash"),
            pictureHashes: picturesAt(f),
            latentsRoot: bytes32At(f, "latentsRoot"),
            profile: RuntimeProfile({
                device: stringAt(p, "device"),
                dtype: stringAt(p, "dtype"),
                torch: stringAt(p, "torch"),
                attention: stringAt(p, "attention"),
                threads: uint16(numberAt(p, "threads")),
                isa: stringAt(p, "isa"),
                batchBucket: uint16(numberAt(p, "batchBucket"))
            }),
            finishedAt: uint64(numberAt(f, "finishedAt"))
        });
        _hasDigest("receipt", Messages.hashReceipt(r));
    }

    /// @dev Whether a struct hash that Disputes makes is the one of the file, and leads to the signer.
    function _hasDigest(string memory name, bytes32 structHash) private view {
        Expected memory e = expected(name);
        VM.assertEq(structHash, e.structHash);
        bytes32 digest = Messages.digest(vectorAddress("staking"), structHash);
        VM.assertEq(digest, e.digest);
        VM.assertEq(ECDSA.recover(digest, bytesAt(name, "signature")), e.signer);
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

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Assignment, Receipt, RuntimeProfile} from "../interfaces/DisputeTypes.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Messages: what coordinators and miners sign, hashed as EIP-712 says. The type strings are final.
// forge-lint: disable-next-item(asm-keccak256)
library Messages {
    bytes private constant TASK_PARAMETERS = "TaskParameters(bytes32 salt,string mode,bytes32 modelDigest,string prompt,"
        "string negativePrompt,uint32 widthPx,uint32 heightPx,uint16 pictures,uint16 steps,"
        "string scheduler,uint32 guidanceThousandths,uint64 seed,bytes32 sourceHash,bytes32 maskHash,"
        "uint32 strengthMillionths,bytes32 lorasHash,bool reproducible)";
    bytes private constant RUNTIME_PROFILE = "RuntimeProfile(string device,string dtype,string torch,string attention,"
        "uint16 threads,string isa,uint16 batchBucket)";

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Cuckoo");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant ASSIGNMENT_TYPE = keccak256(
        abi.encodePacked(
            "Assignment(uint32 coordinatorNode,uint32 minerNode,bytes16 taskId,uint16 attempt,"
            "uint64 sequence,TaskParameters parameters,uint256 price,uint64 deadline,bytes32 seedTip,"
            "uint64 drawIndex,bytes32 drawHead,uint64 drawBlock)",
            TASK_PARAMETERS
        )
    );
    bytes32 private constant PROFILE_TYPE = keccak256(RUNTIME_PROFILE);
    bytes32 private constant RECEIPT_TYPE = keccak256(
        abi.encodePacked(
            "Receipt(bytes32 assignmentHash,bytes32[] pictureHashes,bytes32 latentsRoot,"
            "RuntimeProfile profile,uint64 finishedAt)",
            RUNTIME_PROFILE
        )
    );

    /// @dev What is signed for a struct hash, in the one domain: its contract is Staking, its chain the live one.
    function digest(address staking, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, staking));
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @dev The assignment hash that receipts and disputes name.
    function hashAssignment(Assignment memory a) internal pure returns (bytes32) {
        return keccak256(abi.encode(ASSIGNMENT_TYPE, a));
    }

    /// @dev The struct hash of a receipt.
    function hashReceipt(Receipt memory r) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RECEIPT_TYPE,
                r.assignmentHash,
                hashPictures(r.pictureHashes),
                r.latentsRoot,
                _hashProfile(r.profile),
                r.finishedAt
            )
        );
    }

    /// @dev The hash of a list of picture hashes.
    function hashPictures(bytes32[] memory pictures) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(pictures));
    }

    function _hashProfile(RuntimeProfile memory p) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                PROFILE_TYPE,
                keccak256(bytes(p.device)),
                keccak256(bytes(p.dtype)),
                keccak256(bytes(p.torch)),
                keccak256(bytes(p.attention)),
                p.threads,
                keccak256(bytes(p.isa)),
                p.batchBucket
            )
        );
    }
}

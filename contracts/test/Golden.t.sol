// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GoldenFixture} from "./GoldenFixture.sol";

/// @title The signed examples in `golden/vectors.json`, hashed and recovered from their fields.
/// @notice Python writes the file and checks it against eth-account; contracts that check signatures are tested with it in
/// `GoldenContracts.t.sol`.
contract GoldenTest is GoldenFixture {
    string private constant CONSENT = "OperatorConsent(address owner,uint8 role,address operator,uint256 deadline)";
    string private constant SIGN_IN =
        "SignIn(uint32 coordinatorNode,string origin,uint32 minerNode,bytes32 minerNonce,bytes32 coordinatorNonce,uint64 expiry)";
    string private constant PARAMETERS =
        "TaskParameters(bytes32 salt,string mode,bytes32 modelDigest,string prompt,string negativePrompt,uint32 widthPx,uint32 heightPx,uint16 pictures,uint16 steps,string scheduler,uint32 guidanceThousandths,uint64 seed,bytes32 sourceHash,bytes32 maskHash,uint32 strengthMillionths,bytes32 lorasHash,bool reproducible)";
    string private constant ASSIGNMENT =
        "Assignment(uint32 coordinatorNode,uint32 minerNode,bytes16 taskId,uint16 attempt,uint64 sequence,TaskParameters parameters,uint256 price,uint64 deadline,bytes32 seedTip,uint64 drawIndex,bytes32 drawHead,uint64 drawBlock)";
    string private constant RECEIPT =
        "Receipt(bytes32 assignmentHash,bytes32[] pictureHashes,bytes32 latentsRoot,RuntimeProfile profile,uint64 finishedAt)";
    string private constant PROFILE =
        "RuntimeProfile(string device,string dtype,string torch,string attention,uint16 threads,string isa,uint16 batchBucket)";
    string private constant VOUCHER = "Voucher(uint32 coordinatorNode,uint32 minerNode,uint256 cumulative)";

    function test_domain__name_version_chain_and_staking__as_in_the_file() public view {
        VM.assertEq(separator(31_337, vectorAddress("staking")), vectorBytes32("domainSeparator"));
    }

    function test_operatorConsent__agrees_and_one_wrong_character_does_not() public view {
        agrees("operatorConsent", CONSENT, _consent());
    }

    function test_signIn__agrees_and_one_wrong_character_does_not() public view {
        agrees("signIn", SIGN_IN, _signIn());
    }

    function test_taskParameters__agrees_and_one_wrong_character_does_not() public view {
        agrees("taskParameters", PARAMETERS, _parameters("taskParameters.fields"));
    }

    function test_assignment__agrees_and_one_wrong_character_does_not() public view {
        agrees("assignment", string.concat(ASSIGNMENT, PARAMETERS), _assignment());
    }

    function test_receipt__agrees_and_one_wrong_character_does_not() public view {
        agrees("receipt", string.concat(RECEIPT, PROFILE), _receipt());
    }

    function test_voucher__agrees_and_one_wrong_character_does_not() public view {
        agrees("voucher", VOUCHER, _voucher());
    }

    /// @dev Checks an example, and that the check does fail for every type string that differs in one character.
    function agrees(string memory name, string memory typeString, bytes memory fields) private view {
        VM.assertEq(stringAt(name, "type"), typeString);
        Expected memory e = expected(name);
        VM.assertTrue(matches(e, keccak256(bytes(typeString)), fields));
        bytes memory wrong = bytes(typeString);
        for (uint256 i = 0; i < wrong.length; ++i) {
            bytes1 right = wrong[i];
            wrong[i] = right ^ 0x01;
            VM.assertFalse(matches(e, keccak256(wrong), fields));
            wrong[i] = right;
        }
    }

    /// @dev Whether struct hash, digest and signer come out as in the file.
    function matches(Expected memory e, bytes32 typeHash, bytes memory fields) private pure returns (bool) {
        bytes32 structHash = keccak256(bytes.concat(typeHash, fields));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", e.separator, structHash));
        address signer = ecrecover(digest, e.v, e.r, e.s);
        VM.assertTrue((signer == e.signer) == (structHash == e.structHash));
        return structHash == e.structHash && digest == e.digest && signer == e.signer;
    }

    function _consent() private view returns (bytes memory) {
        string memory f = "operatorConsent.fields";
        return abi.encode(addressAt(f, "owner"), numberAt(f, "role"), addressAt(f, "operator"), numberAt(f, "deadline"));
    }

    function _signIn() private view returns (bytes memory) {
        string memory f = "signIn.fields";
        return abi.encode(
            numberAt(f, "coordinatorNode"),
            textAt(f, "origin"),
            numberAt(f, "minerNode"),
            bytes32At(f, "minerNonce"),
            bytes32At(f, "coordinatorNonce"),
            numberAt(f, "expiry")
        );
    }

    function _parameters(string memory f) private view returns (bytes memory) {
        return bytes.concat(
            abi.encode(
                bytes32At(f, "salt"),
                textAt(f, "mode"),
                bytes32At(f, "modelDigest"),
                textAt(f, "prompt"),
                textAt(f, "negativePrompt"),
                numberAt(f, "widthPx"),
                numberAt(f, "heightPx"),
                numberAt(f, "pictures"),
                numberAt(f, "steps")
            ),
            abi.encode(
                textAt(f, "scheduler"),
                numberAt(f, "guidanceThousandths"),
                numberAt(f, "seed"),
                bytes32At(f, "sourceHash"),
                bytes32At(f, "maskHash"),
                numberAt(f, "strengthMillionths"),
                bytes32At(f, "lorasHash"),
                boolAt(f, "reproducible")
            )
        );
    }

    function _assignment() private view returns (bytes memory) {
        string memory f = "assignment.fields";
        bytes memory parameters = _parameters(string.concat(f, ".parameters"));
        return bytes.concat(
            abi.encode(
                numberAt(f, "coordinatorNode"),
                numberAt(f, "minerNode"),
                bytes16(bytesAt(f, "taskId")),
                numberAt(f, "attempt"),
                numberAt(f, "sequence"),
                keccak256(bytes.concat(keccak256(bytes(PARAMETERS)), parameters))
            ),
            abi.encode(
                numberAt(f, "price"),
                numberAt(f, "deadline"),
                bytes32At(f, "seedTip"),
                numberAt(f, "drawIndex"),
                bytes32At(f, "drawHead"),
                numberAt(f, "drawBlock")
            )
        );
    }

    function _receipt() private view returns (bytes memory) {
        string memory f = "receipt.fields";
        string memory p = "receipt.fields.profile";
        bytes memory profile = abi.encode(
            keccak256(bytes(PROFILE)),
            textAt(p, "device"),
            textAt(p, "dtype"),
            textAt(p, "torch"),
            textAt(p, "attention"),
            numberAt(p, "threads"),
            textAt(p, "isa"),
            numberAt(p, "batchBucket")
        );
        return abi.encode(
            bytes32At(f, "assignmentHash"),
            keccak256(abi.encodePacked(picturesAt(f))),
            bytes32At(f, "latentsRoot"),
            keccak256(profile),
            numberAt(f, "finishedAt")
        );
    }

    function _voucher() private view returns (bytes memory) {
        string memory f = "voucher.fields";
        return abi.encode(numberAt(f, "coordinatorNode"), numberAt(f, "minerNode"), numberAt(f, "cumulative"));
    }
}

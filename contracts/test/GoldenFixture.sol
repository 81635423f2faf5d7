// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVm} from "./IVm.sol";

/// @title How the tests read `golden/vectors.json`.
abstract contract GoldenFixture {
    /// @notice What must come out of an example.
    struct Expected {
        bytes32 separator;
        bytes32 structHash;
        bytes32 digest;
        address signer;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    IVm internal constant VM = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    string private _json;

    function setUp() public virtual {
        // forge-lint: disable-next-line(unsafe-cheatcode)
        _json = VM.readFile("test/golden/vectors.json");
        VM.chainId(31_337);
    }

    function expected(string memory name) internal view returns (Expected memory e) {
        e.separator = vectorBytes32("domainSeparator");
        e.structHash = bytes32At(name, "structHash");
        e.digest = bytes32At(name, "digest");
        e.signer = vectorAddress("signer");
        bytes memory signature = bytesAt(name, "signature");
        VM.assertEq(signature.length, 65);
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        (e.v, e.r, e.s) = (uint8(signature[64]), r, s);
    }

    function separator(uint256 chainId, address staking) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Cuckoo"),
                keccak256("1"),
                chainId,
                staking
            )
        );
    }

    function vectorAddress(string memory key) internal view returns (address) {
        return VM.parseJsonAddress(_json, string.concat(".", key));
    }

    function vectorBytes32(string memory key) internal view returns (bytes32) {
        return VM.parseJsonBytes32(_json, string.concat(".", key));
    }

    function addressAt(string memory whose, string memory key) internal view returns (address) {
        return VM.parseJsonAddress(_json, _path(whose, key));
    }

    function numberAt(string memory whose, string memory key) internal view returns (uint256) {
        return VM.parseJsonUint(_json, _path(whose, key));
    }

    function boolAt(string memory whose, string memory key) internal view returns (bool) {
        return VM.parseJsonBool(_json, _path(whose, key));
    }

    function bytesAt(string memory whose, string memory key) internal view returns (bytes memory) {
        return VM.parseJsonBytes(_json, _path(whose, key));
    }

    function bytes32At(string memory whose, string memory key) internal view returns (bytes32) {
        return VM.parseJsonBytes32(_json, _path(whose, key));
    }

    function stringAt(string memory whose, string memory key) internal view returns (string memory) {
        return VM.parseJsonString(_json, _path(whose, key));
    }

    /// @dev A text as EIP-712 encodes it.
    function textAt(string memory whose, string memory key) internal view returns (bytes32) {
        return keccak256(bytes(stringAt(whose, key)));
    }

    function picturesAt(string memory whose) internal view returns (bytes32[] memory) {
        return VM.parseJsonBytes32Array(_json, _path(whose, "pictureHashes"));
    }

    function _path(string memory whose, string memory key) private pure returns (string memory) {
        return string.concat(".", whose, ".", key);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {Assignment, Receipt, SignedAssignment, SignedReceipt} from "../interfaces/DisputeTypes.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {Fault, Role} from "../interfaces/StakingTypes.sol";
import {DisputesState} from "./DisputesState.sol";
import {Messages} from "./Messages.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Proofs: signatures that show a fault by themselves, and how any signature is checked.
abstract contract Proofs is DisputesState {
    using SafeERC20 for CuckooToken;

    /// @inheritdoc IDisputes
    function proveReceiptEquivocation(
        SignedAssignment calldata assignment,
        SignedReceipt calldata first,
        SignedReceipt calldata second
    ) external nonReentrant {
        Assignment calldata a = assignment.assignment;
        bytes32 assignmentHash = _checkAssignment(assignment);
        _checkReceipt(a, assignmentHash, first);
        _checkReceipt(a, assignmentHash, second);
        _requireRole(a.coordinatorNode, Role.Coordinator);
        _requireRole(a.minerNode, Role.Miner);
        Receipt calldata one = first.receipt;
        Receipt calldata other = second.receipt;
        if (
            one.latentsRoot == other.latentsRoot
                && Messages.hashPictures(one.pictureHashes) == Messages.hashPictures(other.pictureHashes)
        ) revert ReceiptsAgree();
        _convictAtOnce(a.minerNode, _faultId(a.coordinatorNode, a.minerNode, assignmentHash));
    }

    /// @inheritdoc IDisputes
    function proveHeadEquivocation(SignedAssignment calldata first, SignedAssignment calldata second)
        external
        nonReentrant
    {
        Assignment calldata one = first.assignment;
        Assignment calldata other = second.assignment;
        uint32 coordinator = one.coordinatorNode;
        if (
            other.coordinatorNode != coordinator || other.seedTip != one.seedTip || other.drawIndex != one.drawIndex
                || other.drawHead == one.drawHead
        ) revert HeadsAgree();
        _checkAssignment(first);
        _checkAssignment(second);
        _requireRole(coordinator, Role.Coordinator);
        // No miner has the number zero, so that no fault of a miner can have the same id.
        _convictAtOnce(coordinator, _faultId(coordinator, 0, keccak256(abi.encode(one.seedTip, one.drawIndex))));
    }

    /// @inheritdoc IDisputes
    function faultIdOf(uint32 coordinator, uint32 miner, bytes32 assignmentHash) external pure returns (bytes32) {
        return _faultId(coordinator, miner, assignmentHash);
    }

    /// @dev Checks the coordinator's signature and the report window.
    /// @return assignmentHash The struct hash.
    function _checkAssignment(SignedAssignment calldata signed) internal view returns (bytes32 assignmentHash) {
        Assignment calldata a = signed.assignment;
        uint256 endedAt = a.deadline + REPORT_WINDOW;
        if (block.timestamp > endedAt) revert ReportWindowOver(endedAt);
        assignmentHash = Messages.hashAssignment(a);
        _checkSignature(a.coordinatorNode, a.deadline, assignmentHash, signed.signature);
    }

    /// @dev Checks that a receipt is over the assignment and signed by its miner.
    function _checkReceipt(Assignment calldata a, bytes32 assignmentHash, SignedReceipt calldata signed) internal view {
        bytes32 actual = signed.receipt.assignmentHash;
        if (actual != assignmentHash) revert AssignmentMismatch(assignmentHash, actual);
        _checkSignature(a.minerNode, a.deadline, Messages.hashReceipt(signed.receipt), signed.signature);
    }

    function _faultId(uint32 coordinator, uint32 miner, bytes32 assignmentHash) internal pure returns (bytes32) {
        // forge-lint: disable-next-line(asm-keccak256)
        return keccak256(abi.encode(coordinator, miner, assignmentHash));
    }

    /// @dev Checks that an operator of the node signed. A replaced one counts for work that it can have begun before.
    function _checkSignature(uint32 node, uint256 deadline, bytes32 structHash, bytes calldata signature) private view {
        // slither-disable-next-line unused-return -- whatever is wrong, the signer is not an operator
        (address signer,,) = ECDSA.tryRecover(Messages.digest(address(STAKING), structHash), signature);
        (uint32 signersNode, uint40 replacedAt) = STAKING.operatorOf(signer);
        if (signersNode != node) revert SignatureInvalid(node, signer);
        if (replacedAt != 0 && deadline > replacedAt + LONGEST_DEADLINE) revert OperatorReplaced(signer, replacedAt);
    }

    function _requireRole(uint32 node, Role role) private view {
        // slither-disable-next-line unused-return -- whoever it belongs to
        (, Role actual) = STAKING.ownerOf(node);
        if (actual != role) revert RoleWrong(node, role);
    }

    /// @dev Slashes for an equivocation and pays the reporter all that Staking lets out: half of the owner's loss.
    function _convictAtOnce(uint32 node, bytes32 faultId) private {
        if (STAKING.convicted(faultId)) revert AlreadyConvicted(faultId);
        // slither-disable-next-line unused-return -- votes lose nothing by it
        (uint256 ownLoss,, uint256 reward) = STAKING.slash(node, Fault.Equivocation, faultId, type(uint256).max);
        emit Equivocated(node, faultId, msg.sender, ownLoss, reward);
        TOKEN.safeTransfer(msg.sender, reward);
    }
}

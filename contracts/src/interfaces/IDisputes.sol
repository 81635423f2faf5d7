// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Assignment,
    DisputeParameters,
    DisputeView,
    Juror,
    Outcome,
    Phase,
    Receipt,
    Round,
    SignedAssignment,
    SignedReceipt,
    Verdict
} from "./DisputeTypes.sol";
import {IRandomness} from "./IRandomness.sol";
import {IStaking} from "./IStaking.sol";
import {Role} from "./StakingTypes.sol";

/// @title Disputes: what is wrong with a result, proven at once or judged by a jury of staked miners.
/// @notice Nobody owns it and nothing in it can be changed. Every operation is O(1). Every dispute ends by a deadline that
/// anyone can enforce with `execute`.
interface IDisputes {
    // -------------------------------------------------------------------------------------------------- evidence

    /// @notice The signature is not that of an operator of `node` but of `signer` (zero if it is none at all).
    error SignatureInvalid(uint32 node, address signer);
    /// @notice The operator was replaced at `replacedAt`, and the deadline is too long after that for its signature to count.
    error OperatorReplaced(address operator, uint256 replacedAt);
    /// @notice Node `node` has another role than `required`.
    error RoleWrong(uint32 node, Role required);
    /// @notice The receipt is over another assignment.
    error AssignmentMismatch(bytes32 required, bytes32 actual);
    /// @notice The report window over this assignment ended at `endedAt`.
    error ReportWindowOver(uint256 endedAt);
    /// @notice The fault was punished already.
    error AlreadyConvicted(bytes32 faultId);

    // --------------------------------------------------------------------------------------------- equivocations

    /// @notice A node was convicted of signing two things that exclude each other.
    event Equivocated(
        uint32 indexed node, bytes32 indexed faultId, address indexed reporter, uint256 ownLoss, uint256 reward
    );

    /// @notice Both receipts name the same pictures and latents.
    error ReceiptsAgree();
    /// @notice The assignments are of different coordinators or different draws, or name the same head.
    error HeadsAgree();

    /// @notice Convicts a miner whose operator signed two receipts over one assignment with different pictures or latents.
    /// The caller gets half of what the own tranche loses.
    function proveReceiptEquivocation(
        SignedAssignment calldata assignment,
        SignedReceipt calldata first,
        SignedReceipt calldata second
    ) external;

    /// @notice Convicts a coordinator whose operator signed two draw-log heads for one index under one seed tip.
    /// The caller gets half of what the own tranche loses.
    function proveHeadEquivocation(SignedAssignment calldata first, SignedAssignment calldata second) external;

    // ------------------------------------------------------------------------------------------------ accusation

    event Opened(
        uint256 indexed dispute,
        uint32 indexed miner,
        uint32 indexed coordinator,
        address accuser,
        bytes32 faultId,
        uint256 bond
    );
    /// @notice What the dispute is about. Jurors get the task parameters from the parties and check their hash.
    event Evidence(uint256 indexed dispute, bytes32 assignmentHash, Assignment assignment, Receipt receipt);
    event RoundStarted(
        uint256 indexed dispute, uint256 round, uint256 epoch, uint256 weight, uint256 seats, uint256 ticket
    );
    event Appealed(uint256 indexed dispute, address indexed appellant, uint256 bond);

    /// @notice Until `until` only the coordinator's owner and operator may open, and only once.
    error CoordinatorAlone(uint256 until);
    /// @notice A dispute over this fault is running.
    error DisputeRunning(uint256 dispute);
    /// @notice This fault was disputed as often as it can be.
    error ReopenedAlready(bytes32 faultId);
    error DisputeUnknown(uint256 dispute);
    error PhaseWrong(Phase required, Phase actual);
    /// @notice `caller` is not on the side that lost the first round.
    error NotLoser(address caller);

    /// @notice Accuses a miner of a wrong result. Takes the bond from the caller's wallet: 2 x seats x fee, double if reopened.
    /// @return dispute Its id.
    function open(SignedAssignment calldata assignment, SignedReceipt calldata receipt)
        external
        returns (uint256 dispute);

    /// @notice Has a larger jury judge again. The side that lost the first round only: after a conviction the miner's owner
    /// or operator, after an acquittal the accuser. Takes the bond from the caller's wallet: 2 x seats x fee.
    function appeal(uint256 dispute) external;

    // ------------------------------------------------------------------------------------------------------ jury

    event SeedDrawn(uint256 indexed dispute, uint256 round, bytes32 seed);
    event SeedLost(uint256 indexed dispute, uint256 round, uint256 ticket);
    event SeatsClaimed(uint256 indexed dispute, uint256 round, uint32 indexed node, uint256 seats);
    event Committed(uint256 indexed dispute, uint256 round, uint32 indexed node, bytes32 commitment);
    /// @param digest What the juror's own computation gave, for everybody to compare.
    event Revealed(uint256 indexed dispute, uint256 round, uint32 indexed node, Verdict verdict, bytes32 digest);

    error NotOperator(uint32 node, address caller);
    error SeedUnknown(uint256 ticket);
    error SeedTaken(bytes32 seed);
    /// @notice The node's owner is the accuser, or owns a party's node or did when the dispute was opened.
    error JurorIsParty(uint32 node);
    error JurorIneligible(uint32 node);
    error SeatsZero(uint32 node);
    error SeatsTaken(uint32 node);
    error CommitmentZero();
    error CommitmentTaken(uint32 node);
    error CommitmentMismatch(bytes32 required, bytes32 actual);
    error VerdictNone();

    /// @notice Draws the seed of the running round, or another ticket if it was lost. Anyone may call.
    function drawSeed(uint256 dispute) external;

    /// @notice Claims the seats that the lottery gives to a node. Its operator only. A seat that stays silent costs 2 fees.
    /// @return seats How many.
    function claimSeats(uint256 dispute, uint32 node) external returns (uint256 seats);

    /// @notice Commits a node to a verdict. Its operator only, once.
    /// @param commitment See `commitmentOf`.
    function commit(uint256 dispute, uint32 node, bytes32 commitment) external;

    /// @notice Opens a commitment. Anyone who knows the salt may call.
    function reveal(uint256 dispute, uint32 node, Verdict verdict, bytes32 digest, bytes32 salt) external;

    // ------------------------------------------------------------------------------------------------- judgement

    event Executed(
        uint256 indexed dispute,
        bytes32 indexed faultId,
        Outcome outcome,
        uint256 ownLoss,
        uint256 votesLoss,
        uint256 feePerSeat,
        uint256 burned
    );
    event Credited(uint256 indexed dispute, address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event JurorPaid(uint256 indexed dispute, uint256 round, uint32 indexed node, address payee, uint256 amount);
    event JurorPenalised(uint256 indexed dispute, uint256 round, uint32 indexed node, uint256 amount);

    error JurorUnknown(uint32 node);
    error JurorSettled(uint32 node);
    error NothingOwed(address account);

    /// @notice Ends a dispute whose time is over, and slashes if it convicts. Anyone may call.
    function execute(uint256 dispute) external;

    /// @notice After the end: pays a coherent juror's payee, burns stake of a silent or incoherent one. Anyone may call, once.
    function settleJuror(uint256 dispute, uint256 round, uint32 node) external;

    /// @notice Pays the caller what it was credited: bonds that came back.
    /// @return amount How much, in wei.
    function withdraw() external returns (uint256 amount);

    // ----------------------------------------------------------------------------------------------------- reads

    /// @notice The parameter `name` is `actual`; it must lie within `low` and `high`.
    error ParameterOutOfBounds(string name, uint256 low, uint256 high, uint256 actual);
    /// @notice Staking does not let this contract slash.
    error NotSlasher();

    /// @notice How many disputes were ever opened; ids are 1 to this.
    function disputeCount() external view returns (uint256);

    /// @notice One dispute.
    function disputeOf(uint256 dispute) external view returns (DisputeView memory);

    /// @notice One round of a dispute, 0 or 1.
    function roundOf(uint256 dispute, uint256 round) external view returns (Round memory);

    /// @notice One juror of a round.
    function jurorOf(uint256 dispute, uint256 round, uint32 node) external view returns (Juror memory);

    /// @notice How many seats the lottery of the running round gives to a node, whether it claimed them or not; zero if the
    /// node can not be seated or the seed was not drawn.
    function seatsOf(uint256 dispute, uint32 node) external view returns (uint256);

    /// @notice What a juror commits to: the hash binds dispute, round and juror, so that a copy is worth nothing.
    function commitmentOf(uint256 dispute, uint256 round, uint32 node, Verdict verdict, bytes32 digest, bytes32 salt)
        external
        pure
        returns (bytes32);

    /// @notice What a miner is convicted of once, whether proven or judged.
    function faultIdOf(uint32 coordinator, uint32 miner, bytes32 assignmentHash) external pure returns (bytes32);

    /// @notice The bond for opening a dispute over a fault now, in wei.
    function bondOf(bytes32 faultId) external view returns (uint256);

    /// @notice The bond for an appeal, in wei.
    function appealBond() external view returns (uint256);

    /// @notice What an account can withdraw, in wei.
    function owedTo(address account) external view returns (uint256);

    /// @notice What it was deployed with.
    function disputeParameters() external view returns (DisputeParameters memory);

    /// @notice Where stakes are.
    function staking() external view returns (IStaking);

    /// @notice What draws juries.
    function randomness() external view returns (IRandomness);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a juror says. Values are final: they are hashed into commitments.
/// @dev `Abstain` is for a juror that can not run the model: it counts for the quorum only.
enum Verdict {
    None,
    Guilty,
    NotGuilty,
    Abstain
}

/// @notice How a dispute ended.
enum Outcome {
    None,
    Convicted,
    Acquitted,
    Drawn
}

/// @notice What can be done in a dispute now.
enum Phase {
    Claim,
    Commit,
    Reveal,
    Appeal,
    Execute,
    Ended
}

/// @notice What Disputes is deployed with.
/// @param coordinatorAlone How much of the report window is the coordinator's alone, in seconds.
/// @param seats Expected seats of a first jury ("J"); an appeal has 2J + 1.
/// @param quorum How many seats must speak at least.
/// @param fee What a coherent seat earns, in wei of CAI.
struct DisputeParameters {
    uint32 coordinatorAlone;
    uint16 seats;
    uint16 quorum;
    uint96 fee;
}

/// @notice EIP-712 `Assignment`, the nested task parameters by their struct hash: a dispute shows no prompt to the chain.
/// @param attempt 1 for the first.
/// @param sequence Rises per (coordinator, miner).
/// @param price Wei for the whole attempt.
/// @param deadline Unix seconds.
/// @param seedTip The end of the hash chain whose links seed the draws.
/// @param drawIndex Index of the draw under that tip.
/// @param drawHead Head of the draw log after the draw's row.
/// @param drawBlock Number of the block whose hash went into the draw's seed.
struct Assignment {
    uint32 coordinatorNode;
    uint32 minerNode;
    bytes16 taskId;
    uint16 attempt;
    uint64 sequence;
    bytes32 parametersHash;
    uint256 price;
    uint64 deadline;
    bytes32 seedTip;
    uint64 drawIndex;
    bytes32 drawHead;
    uint64 drawBlock;
}

/// @notice EIP-712 `RuntimeProfile`: what decides the exact pixels besides the task.
struct RuntimeProfile {
    string device;
    string dtype;
    string torch;
    string attention;
    uint16 threads;
    string isa;
    uint16 batchBucket;
}

/// @notice EIP-712 `Receipt`.
/// @param assignmentHash Struct hash of the assignment.
/// @param pictureHashes Hash of the pixels of each picture, in order.
/// @param latentsRoot Merkle root over the latents of every picture and step.
/// @param finishedAt Unix seconds.
struct Receipt {
    bytes32 assignmentHash;
    bytes32[] pictureHashes;
    bytes32 latentsRoot;
    RuntimeProfile profile;
    uint64 finishedAt;
}

/// @notice An assignment and the signature of its coordinator's operator, r | s | v.
struct SignedAssignment {
    Assignment assignment;
    bytes signature;
}

/// @notice A receipt and the signature of its miner's operator, r | s | v.
struct SignedReceipt {
    Receipt receipt;
    bytes signature;
}

/// @notice One dispute as it is read.
/// @param faultId What it is about; one conviction each.
/// @param coordinator Who assigned.
/// @param miner Who is accused.
/// @param accuser Who opened it.
/// @param bond What the accuser put down, in wei.
/// @param appellant Who appealed; zero if nobody.
/// @param appealBond What the appellant put down, in wei.
/// @param rounds 1, or 2 after an appeal.
/// @param phase What can be done now.
/// @param phaseEnds When the phase ends, unix seconds; zero for `Execute` and `Ended`.
/// @param outcome How it ended; `None` before.
/// @param feePerSeat What each coherent seat gets, in wei; zero before it ended.
struct DisputeView {
    bytes32 faultId;
    uint32 coordinator;
    uint32 miner;
    address accuser;
    uint256 bond;
    address appellant;
    uint256 appealBond;
    uint256 rounds;
    Phase phase;
    uint256 phaseEnds;
    Outcome outcome;
    uint256 feePerSeat;
}

/// @notice One round of a dispute. The first line is one slot.
/// @param startedAt When it began, unix seconds.
/// @param epoch The jury epoch whose closing weights seat its jurors.
/// @param weight Weight of all possible jurors, in whole CAI.
/// @param seats Expected seats.
/// @param claimed Seats claimed.
/// @param guilty Seats that said so.
/// @param notGuilty Seats that said so.
/// @param abstained Seats that said they can not tell.
/// @param ticket What its seed is drawn with.
/// @param seed Zero before it is known.
struct Round {
    uint40 startedAt;
    uint32 epoch;
    uint32 weight;
    uint16 seats;
    uint32 claimed;
    uint32 guilty;
    uint32 notGuilty;
    uint32 abstained;
    // -
    uint256 ticket;
    // -
    bytes32 seed;
}

/// @notice One juror in one round.
/// @param commitment What it committed to; zero before.
/// @param seats Its seats; zero if it claimed none.
/// @param verdict What it revealed; `None` before.
/// @param settled Whether it was paid or punished.
struct Juror {
    bytes32 commitment;
    // -
    uint32 seats;
    Verdict verdict;
    bool settled;
}

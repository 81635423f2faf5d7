// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a node does. Values are final: they are signed in `OperatorConsent`.
enum Role {
    Miner,
    Coordinator
}

/// @notice Whose stake stands behind a node: its owner's, or everybody else's.
enum Tranche {
    Own,
    Votes
}

/// @notice What a node is convicted of.
enum Fault {
    Judged,
    Equivocation
}

/// @notice The network parameters, all in seconds. Fixed at deployment.
/// @param unbonding How long stake that leaves a node stays slashable ("U").
/// @param releaseBucket Stake comes free at multiples of this.
/// @param reportWindow How long after an assignment's deadline a dispute may be opened.
/// @param claim How long jurors have to claim their seats.
/// @param commit How long jurors have to commit.
/// @param reveal How long jurors have to reveal.
/// @param appeal How long the loser has to appeal.
/// @param buffer What `unbonding` leaves beyond report window and longest dispute.
/// @param longestDeadline No assignment may have a deadline further away than this.
/// @param feeStream How long it takes until a fee has been paid out in full.
/// @param juryEpoch Jurors are seated by their weight at the end of such a period.
/// @param drawPeriod The time one draw seed serves.
/// @param drawLead How far before a draw period its block lies.
/// @param commissionNotice How long before it holds a higher commission is announced.
/// @param jail How long a convicted node is left out at least.
struct Parameters {
    uint32 unbonding;
    uint32 releaseBucket;
    uint32 reportWindow;
    uint32 claim;
    uint32 commit;
    uint32 reveal;
    uint32 appeal;
    uint32 buffer;
    uint32 longestDeadline;
    uint32 feeStream;
    uint32 juryEpoch;
    uint32 drawPeriod;
    uint32 drawLead;
    uint32 commissionNotice;
    uint32 jail;
}

/// @notice What an owner asks for when it registers a node.
/// @param role Miner or coordinator.
/// @param operator The hot key that runs the node; it must never have run another.
/// @param introduction JSON, at most 1,024 bytes.
/// @param commissionBps The owner's part of the rewards before stakers share the rest, in 1/10,000.
/// @param maxCommissionBps What the commission can never exceed.
/// @param amount Own stake, in wei of CAI, taken from the owner's idle stake.
/// @param deadline Until when the operator's consent holds, unix seconds.
/// @param operatorSig The operator's EIP-712 signature of `OperatorConsent`.
struct Registration {
    Role role;
    address operator;
    string introduction;
    uint16 commissionBps;
    uint16 maxCommissionBps;
    uint256 amount;
    uint256 deadline;
    bytes operatorSig;
}

/// @notice One tranche as it is read.
/// @param tokens All stake in it, active and unbonding, in wei.
/// @param shares All shares, active and unbonding.
/// @param activeShares Shares that count and earn.
/// @param activeTokens What those are worth, in wei.
/// @param generation Rises by one when the tranche is wiped.
struct TrancheView {
    uint256 tokens;
    uint256 shares;
    uint256 activeShares;
    uint256 activeTokens;
    uint32 generation;
}

/// @notice One node as it is read.
/// @param id Node id, from 1.
/// @param role Miner or coordinator.
/// @param owner The staker's address that it belongs to.
/// @param operator The hot key that runs it now.
/// @param payee Who receives its income.
/// @param pendingOwner Whom the owner offered it to; zero if nobody.
/// @param weight Its recorded weight in wei; above zero means eligible.
/// @param floor The own active stake it needs to be eligible, in wei.
/// @param own The owner's tranche.
/// @param votes Everybody else's tranche.
/// @param commissionBps Commission that holds now.
/// @param maxCommissionBps What it can never exceed.
/// @param nextCommissionBps A higher one that was announced; meaningless if `nextCommissionAt` is zero.
/// @param nextCommissionAt From when the announced one holds, unix seconds; zero if none.
/// @param jailedUntil From when it may be unjailed, unix seconds; zero if it is not jailed.
/// @param introductionBlock The block whose log holds its latest introduction.
struct NodeView {
    uint32 id;
    Role role;
    address owner;
    address operator;
    address payee;
    address pendingOwner;
    uint256 weight;
    uint256 floor;
    TrancheView own;
    TrancheView votes;
    uint16 commissionBps;
    uint16 maxCommissionBps;
    uint16 nextCommissionBps;
    uint40 nextCommissionAt;
    uint40 jailedUntil;
    uint40 introductionBlock;
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {Fault, NodeView, Parameters, Registration, Role, Tranche} from "./StakingTypes.sol";

/// @title Staking: registry of nodes, votes, rewards and slashing.
/// @notice Every operation is O(1). There is no proxy. A pause stops `stake`, `vote` and `register` only, and lapses.
interface IStaking {
    // ------------------------------------------------------------------------------------------------- idle stake

    event Staked(address indexed staker, uint256 amount);
    event Unstaked(address indexed staker, uint256 amount);

    /// @notice `staker` has `actual` wei of idle stake where `required` are needed.
    error IdleStakeTooLow(uint256 required, uint256 actual);
    error AmountZero();

    /// @notice Moves CAI from the caller's wallet into its idle stake, which has no weight, earns nothing and is not at risk.
    function stake(uint256 amount) external;

    /// @notice `stake` with an EIP-2612 approval. A permit that was used already is no obstacle.
    function stakeWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Moves idle stake back into the caller's wallet.
    function unstake(uint256 amount) external;

    /// @notice The idle stake of `staker`, in wei.
    function idleStake(address staker) external view returns (uint256);

    // --------------------------------------------------------------------------------------------------- registry

    event Registered(
        uint32 indexed node,
        Role indexed role,
        address indexed owner,
        address operator,
        uint256 amount,
        uint16 commissionBps,
        uint16 maxCommissionBps,
        string introduction
    );
    event IntroductionChanged(uint32 indexed node, string introduction);
    event OperatorRotated(uint32 indexed node, address indexed previous, address indexed operator);
    event OwnerTransferStarted(uint32 indexed node, address indexed owner, address indexed pendingOwner);
    event OwnerTransferred(uint32 indexed node, address indexed previous, address indexed owner, uint256 settled);
    event PayeeChanged(uint32 indexed node, address indexed payee);
    event CommissionAnnounced(uint32 indexed node, uint16 commissionBps, uint40 effectiveAt);
    event CommissionChanged(uint32 indexed node, uint16 commissionBps);
    event SeedTipCommitted(uint32 indexed node, bytes32 indexed tip);

    error NodeUnknown(uint32 node);
    error NotOwner(uint32 node, address caller);
    error NotPendingOwner(uint32 node, address caller);
    error NotOperator(uint32 node, address caller);
    error NotCoordinator(uint32 node);
    error StakeTooLow(uint256 required, uint256 actual);
    error IntroductionTooLong(uint256 limit, uint256 actual);
    error CommissionTooHigh(uint256 limit, uint256 actual);
    error OperatorZero();
    error OperatorTaken(address operator, uint32 node);
    error ConsentExpired(uint256 deadline);
    error ConsentInvalid(address operator, address recovered);
    error TipZero();
    error TipTaken(uint32 node, bytes32 tip);

    /// @notice Registers a node with own stake out of the caller's idle stake.
    /// @return node Its id.
    function register(Registration calldata registration) external returns (uint32 node);

    /// @notice Publishes a new introduction. Owner only.
    function setIntroduction(uint32 node, string calldata introduction) external;

    /// @notice Gives the node a new operator, who consents by signature. Owner only. The old one can never come back.
    function rotateOperator(uint32 node, address operator, uint256 deadline, bytes calldata operatorSig) external;

    /// @notice Offers the node, with its own stake and release buckets, to `newOwner`; zero withdraws the offer.
    function transferOwner(uint32 node, address newOwner) external;

    /// @notice Takes over a node that was offered. What its previous owner had earned goes to that one's idle stake.
    function acceptOwner(uint32 node) external;

    /// @notice Names who receives the node's income; zero means its owner. Owner only.
    function setPayee(uint32 node, address payee) external;

    /// @notice Lowers the commission at once, or announces a higher one (at most 500 more, at most the maximum). Owner only.
    function setCommission(uint32 node, uint16 commissionBps) external;

    /// @notice Publishes the end of the hash chain whose links seed the draws of this coordinator. Operator only.
    function commitSeedTip(uint32 node, bytes32 tip) external;

    // ------------------------------------------------------------------------------------------------------ votes

    event Voted(uint32 indexed node, Tranche indexed tranche, address indexed staker, uint256 amount, uint256 shares);
    event Unvoted(uint32 indexed node, Tranche indexed tranche, address indexed staker, uint256 shares, uint256 bucket);
    event Revoted(uint32 indexed node, Tranche indexed tranche, address indexed staker, uint256 shares, uint256 bucket);
    event Released(
        uint32 indexed node,
        Tranche indexed tranche,
        address indexed staker,
        uint256 amount,
        uint256 shares,
        uint256 bucket
    );
    /// @notice The recorded weight and what it is made of, after every operation that can change it.
    event Weighed(uint32 indexed node, uint256 weight, uint256 ownActive, uint256 votesActive, uint256 floor);
    event Unjailed(uint32 indexed node);

    error VoteTooLow(uint256 required, uint256 actual);
    error SharesTooFew(uint256 required, uint256 actual);
    error SharesZero();
    error BucketNotReached(uint256 releasedAt, uint256 time);
    error NotJailed(uint32 node);
    error StillJailed(uint32 node, uint256 until);

    /// @notice Puts idle stake behind a node: its owner's into `Own` (owner only), anybody's into `Votes`.
    /// @param minShares The call fails if fewer shares come out.
    /// @return shares What came out.
    function vote(uint32 node, Tranche tranche, uint256 amount, uint256 minShares) external returns (uint256 shares);

    /// @notice Starts to take shares out. They stop to count at once and stay slashable until their bucket is reached.
    /// @return bucket Its index; it is reached at index x releaseBucket, unix seconds.
    function unvote(uint32 node, Tranche tranche, uint256 shares) external returns (uint256 bucket);

    /// @notice Puts unbonding shares to work again.
    function revote(uint32 node, Tranche tranche, uint256 shares, uint256 bucket) external;

    /// @notice Pays a reached bucket into the idle stake of `staker` (of the node's owner for `Own`). Anyone may call.
    /// @return amount What was paid, in wei.
    function release(uint32 node, Tranche tranche, address staker, uint256 bucket) external returns (uint256 amount);

    /// @notice Settles and weighs a node anew. Anyone may call.
    function poke(uint32 node) external;

    /// @notice Ends the jail of a node whose time is over. Owner or operator.
    function unjail(uint32 node) external;

    /// @notice Active shares of `staker` in the present generation; of the node's owner for `Own`.
    function activeShares(uint32 node, Tranche tranche, address staker) external view returns (uint256);

    /// @notice Unbonding shares of `staker` in one bucket of the present generation; of the node's owner for `Own`.
    function unbondingShares(uint32 node, Tranche tranche, address staker, uint256 bucket)
        external
        view
        returns (uint256);

    // ---------------------------------------------------------------------------------------------------- rewards

    event EmissionRateChanged(uint256 weiPerSecond);
    event ReserveFunded(address indexed from, uint256 amount);
    event FeesAdded(uint32 indexed node, address indexed from, uint256 amount);
    event Claimed(uint32 indexed node, Tranche indexed tranche, address indexed staker, uint256 amount);

    error EmissionRateTooHigh(uint256 limit, uint256 actual);
    error NotWiped(uint32 node, uint32 generation);

    /// @notice Adds CAI to the reserve that is streamed to nodes, 60 % to miners and 40 % to coordinators.
    function fundReserve(uint256 amount) external;

    /// @notice Sets how fast the reserve is streamed. Contract owner only.
    function setEmissionRate(uint256 weiPerSecond) external;

    /// @notice Adds CAI to the fees that are streamed to a node's stakers. Anyone may call.
    function addFees(uint32 node, uint256 amount) external;

    /// @notice Pays the caller's rewards into its wallet: for `Own` with the commission. Call it off chain to see them.
    /// @return amount What was paid, in wei.
    function claim(uint32 node, Tranche tranche) external returns (uint256 amount);

    /// @notice Pays what the caller earned as a voter before the tranche was wiped.
    /// @return amount What was paid, in wei.
    function claimWiped(uint32 node, uint32 generation) external returns (uint256 amount);

    // --------------------------------------------------------------------------------------------------- slashing

    event Slashed(
        uint32 indexed node,
        bytes32 indexed faultId,
        Fault indexed fault,
        uint256 ownLoss,
        uint256 votesLoss,
        uint256 payout,
        uint40 jailedUntil
    );
    event Penalised(uint32 indexed node, uint256 ownLoss);
    event Wiped(uint32 indexed node, Tranche indexed tranche, uint32 generation, uint256 burned);

    error NotSlasher(address caller);

    /// @notice Slashes and jails a node once per fault. Slashers only; clamps, never reverts.
    /// @param payout What the slasher wants of it; it gets at most half of what the own tranche lost. The rest is burned.
    /// @return ownLoss What the own tranche lost. Zero with both others if the fault was punished before.
    /// @return votesLoss What the votes lost.
    /// @return paid What the slasher was paid.
    function slash(uint32 node, Fault fault, bytes32 faultId, uint256 payout)
        external
        returns (uint256 ownLoss, uint256 votesLoss, uint256 paid);

    /// @notice Burns an amount of a juror's own stake, at most 5 % of it, without jail. Slashers only; clamps, never reverts.
    /// @return ownLoss What was burned.
    function penalise(uint32 node, uint256 amount) external returns (uint256 ownLoss);

    /// @notice Whether a fault was punished.
    function convicted(bytes32 faultId) external view returns (bool);

    /// @notice Whether `account` may slash. Fixed at deployment.
    function isSlasher(address account) external view returns (bool);

    // ------------------------------------------------------------------------------------------------------ pause

    event EntriesPaused(uint40 until);
    event EntriesResumed();
    event GuardianChanged(address indexed guardian);

    error NotGuardian(address caller);
    error EntriesArePaused(uint256 until);
    error PauseTooLong(uint256 limit, uint256 actual);
    error PauseTooSoon(uint256 allowedFrom);

    /// @notice Names who may pause without waiting for the owner's delay; zero means nobody. Contract owner only.
    function setGuardian(address account) external;

    /// @notice Stops `stake`, `vote` and `register` for a while. Guardian or contract owner.
    function pauseEntries(uint32 durationS) external;

    /// @notice Ends a pause early. Guardian or contract owner.
    function resumeEntries() external;

    /// @notice Who may pause beside the contract's owner.
    function guardian() external view returns (address);

    /// @notice Until when entries are paused, unix seconds; in the past if they are not.
    function entriesPausedUntil() external view returns (uint40);

    // ------------------------------------------------------------------------------------------------------ reads

    /// @notice One node.
    function nodeOf(uint32 node) external view returns (NodeView memory);

    /// @notice The nodes of a role, in order of registration.
    /// @param cursor How many to leave out.
    /// @param limit How many to return at most.
    /// @return rows The nodes.
    /// @return next The cursor for the following call; zero if these were the last.
    function nodes(Role role, uint256 cursor, uint256 limit)
        external
        view
        returns (NodeView[] memory rows, uint256 next);

    /// @notice How many nodes of a role were ever registered.
    function nodeCount(Role role) external view returns (uint256);

    /// @notice Whose a node is, and what it does. A cheaper read than `nodeOf`, for other contracts.
    function ownerOf(uint32 node) external view returns (address nodeOwner, Role role);

    /// @notice Who receives a node's income.
    function payeeOf(uint32 node) external view returns (address);

    /// @notice The node an operator key belongs to for ever, and when it was replaced there (zero if it is in use).
    function operatorOf(address operator) external view returns (uint32 node, uint40 replacedAt);

    /// @notice When and in which block a coordinator committed a seed tip; zeros if it did not.
    function seedTip(uint32 node, bytes32 tip) external view returns (uint40 committedAt, uint40 blockNumber);

    /// @notice Recorded weight, emission rate (wei a second), and what is left in the reserve, of a role.
    function roleOf(Role role) external view returns (uint256 weight, uint256 emissionRate, uint256 reserve);

    error EpochNotClosed(uint256 epoch, uint256 running);

    /// @notice The jury epoch that runs now: unix time / length of an epoch.
    function juryEpochNow() external view returns (uint256);

    /// @notice Weight in whole CAI that a node had when a closed epoch ended; zero if that is more than six epochs ago.
    function nodeWeightAt(uint32 node, uint256 epoch) external view returns (uint256);

    /// @notice The same for all nodes of an owner in a role.
    function ownerWeightAt(address nodeOwner, Role role, uint256 epoch) external view returns (uint256);

    /// @notice The same for all nodes of a role.
    function roleWeightAt(Role role, uint256 epoch) external view returns (uint256);

    /// @notice The token that is staked.
    function token() external view returns (CuckooToken);

    /// @notice The network parameters.
    function parameters() external view returns (Parameters memory);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Disputes} from "../../src/Disputes.sol";
import {Escrow} from "../../src/Escrow.sol";
import {Staking} from "../../src/Staking.sol";
import {DisputeParameters} from "../../src/interfaces/DisputeTypes.sol";
import {IStaking} from "../../src/interfaces/IStaking.sol";
import {NodeView, Role, Tranche, TrancheView} from "../../src/interfaces/StakingTypes.sol";
import {FixedRandomness} from "../FixedRandomness.sol";
import {StakingFixture} from "../StakingFixture.sol";

/// @title The books of a network that anybody does anything in: who there is, what was tried, and what must hold.
abstract contract World is StakingFixture {
    uint256 internal constant ACTORS = 6;

    /// @dev What rounding may cost or leave, in wei, for each share price.
    uint256 internal constant DUST = 1e9;

    /// @dev One bucket of unbonding shares that was not empty when it was made.
    struct Bucket {
        uint32 node;
        Tranche tranche;
        address holder;
        uint32 generation;
        uint256 index;
        uint256 unvotedAt;
    }

    Escrow internal escrow;
    Disputes internal disputes;
    FixedRandomness internal source;

    address[ACTORS] internal actors;
    uint32[] internal everyNode;
    mapping(uint32 node => uint256 key) internal keyOf;
    mapping(address operator => uint32 node) internal firstNodeOf;
    address[] internal everyOperator;
    Bucket[] internal buckets;
    mapping(bytes32 bucket => uint256 place) internal placeOf;

    /// @dev Unbonding shares, as the books have them.
    mapping(uint32 node => mapping(Tranche => mapping(uint32 generation => uint256 shares))) internal waiting;

    /// @dev What one share of a tranche, and one wei of a role's weight, had earned when it was last looked at.
    mapping(uint32 node => mapping(Tranche => mapping(uint32 generation => uint256 reward))) private _perShare;
    mapping(Role role => uint256 reward) private _perWeight;

    /// @dev The most shares a node ever had: the more there are, the more cannot be shared out.
    mapping(uint32 node => uint256 shares) internal mostShares;

    /// @dev When a jury last took stake from a node, and when before that.
    mapping(uint32 node => uint256[2] times) private _judged;

    /// @dev Weight of a role as the sum of what every node's row says.
    mapping(Role role => uint256 sum) internal weights;
    mapping(uint32 node => uint256 weight) internal lastWeight;

    string[] internal actionNames;
    mapping(string action => uint256 times) internal successes;
    uint256 internal allSuccesses;
    uint256 private _keys = 0xA0000;

    function setUp() public virtual override {
        super.setUp();
        source = new FixedRandomness();
        address[] memory slashers = new address[](2);
        slashers[0] = VM.computeCreateAddress(address(this), VM.getNonce(address(this)) + 1);
        slashers[1] = SLASHER;
        staking = new Staking(token, GOVERNOR, devnet(), slashers);
        disputes = new Disputes(
            IStaking(address(staking)),
            source,
            DisputeParameters({coordinatorAlone: 30, seats: 21, quorum: 5, fee: 5 ether})
        );
        escrow = new Escrow(IStaking(address(staking)), 30);
        for (uint256 i = 0; i < ACTORS; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            address actor = address(uint160(0xAC0 + i)); // a small number
            actors[i] = actor;
            VM.assertTrue(token.transfer(actor, 80_000_000 * CAI));
            VM.startPrank(actor);
            token.approve(address(staking), type(uint256).max);
            token.approve(address(escrow), type(uint256).max);
            token.approve(address(disputes), type(uint256).max);
            staking.stake(40_000_000 * CAI);
            VM.stopPrank();
        }
    }

    // ------------------------------------------------------------------------------------------------ who there is

    function nextKey() internal returns (uint256) {
        return ++_keys;
    }

    function actorBy(uint256 seed) internal view returns (address) {
        return actors[seed % ACTORS];
    }

    /// @dev One of the first eight nodes three times of four, so that much happens to few; else any.
    function nodeBy(uint256 seed) internal view returns (uint32) {
        uint256 all = everyNode.length;
        return everyNode[seed % 4 == 0 || all < 8 ? (seed / 4) % all : (seed / 4) % 8];
    }

    function done(string memory action) internal {
        if (successes[action] == 0) actionNames.push(action);
        ++successes[action];
        ++allSuccesses;
    }

    function known(uint32 node, uint256 key) internal {
        everyNode.push(node);
        operates(node, key);
    }

    /// @dev Notes which key runs a node now.
    function operates(uint32 node, uint256 key) internal {
        keyOf[node] = key;
        firstNodeOf[VM.addr(key)] = node;
        everyOperator.push(VM.addr(key));
    }

    function ownerOf(uint32 node) internal view returns (address owner) {
        (owner,) = staking.ownerOf(node);
    }

    // -------------------------------------------------------------------------------- what every action must respect

    /// @dev No action but a slash lowers a share price; no generation and no role total strays.
    modifier honest(uint32 node) {
        NodeView memory before = staking.nodeOf(node);
        _;
        NodeView memory row = staking.nodeOf(node);
        priceHolds(before.own, row.own);
        priceHolds(before.votes, row.votes);
        weighs(row);
    }

    /// @dev tokens / shares did not fall, and rose by dust at most.
    function priceHolds(TrancheView memory before, TrancheView memory row) internal pure {
        VM.assertEq(before.generation, row.generation);
        if (before.shares == 0 || row.shares == 0) return;
        uint256 now_ = row.tokens * before.shares;
        VM.assertGe(now_, before.tokens * row.shares);
        VM.assertLe(now_, before.tokens * row.shares + 4 * (before.tokens + before.shares + row.tokens + row.shares));
    }

    /// @dev The weight of a node is what its stake says, none if it is not eligible, and the role's total follows.
    function weighs(NodeView memory row) internal {
        uint256 own = row.own.activeTokens;
        bool eligible = row.jailedUntil == 0 && own + DUST >= row.floor;
        uint256 most = own + row.votes.activeTokens < 10 * own ? own + row.votes.activeTokens : 10 * own;
        if (row.weight > 0) {
            VM.assertTrue(eligible);
            VM.assertApproxEqAbs(row.weight, most, DUST);
        } else {
            VM.assertTrue(row.jailedUntil != 0 || own < row.floor + DUST);
        }
        weights[row.role] = weights[row.role] - lastWeight[row.id] + row.weight;
        lastWeight[row.id] = row.weight;
        (uint256 recorded,,) = staking.roleOf(row.role);
        VM.assertEq(recorded, weights[row.role]);
        VM.assertLe(row.own.activeShares, row.own.shares);
        VM.assertLe(row.votes.activeShares, row.votes.shares);
        uint256 shares = row.own.shares + row.votes.shares;
        if (shares > mostShares[row.id]) mostShares[row.id] = shares;
        accumulatorsRise(row);
    }

    /// @dev What a share, and what a wei of weight, has earned never falls. It is read out of the storage, since nothing
    /// shows it; what lies beside it there is known, hence the place is the right one.
    function accumulatorsRise(NodeView memory row) private {
        uint256 slot = uint256(keccak256(abi.encode(row.id, 1)));
        perShareRises(row.id, Tranche.Own, row.own, stored(slot + 5));
        perShareRises(row.id, Tranche.Votes, row.votes, stored(slot + 7));
        uint256 word = stored(uint256(keccak256(abi.encode(row.role, 2))));
        VM.assertEq((word >> 120) & type(uint96).max, weights[row.role]);
        word &= type(uint120).max;
        VM.assertGe(word, _perWeight[row.role]);
        _perWeight[row.role] = word;
    }

    function perShareRises(uint32 node, Tranche which, TrancheView memory tranche, uint256 word) private {
        VM.assertEq(word & type(uint128).max, tranche.shares);
        VM.assertGe(word >> 128, _perShare[node][which][tranche.generation]);
        _perShare[node][which][tranche.generation] = word >> 128;
    }

    function stored(uint256 slot) private view returns (uint256) {
        return uint256(VM.load(address(staking), bytes32(slot)));
    }

    /// @dev Notes that a jury convicted a node; false if two did within a week, so that nothing more can be taken.
    function mayLose(uint32 node) internal returns (bool) {
        uint256[2] storage times = _judged[node];
        if (times[1] != 0 && time() < times[1] + 7 days) return false;
        (times[0], times[1]) = (time(), times[0]);
        return true;
    }

    // ----------------------------------------------------------------------------------------------- global checks

    /// @dev Active and unbonding shares of all holders are all shares, in both tranches.
    function sharesAddUp(uint32 node) internal view {
        NodeView memory row = staking.nodeOf(node);
        uint256 votes = 0;
        for (uint256 i = 0; i < ACTORS; ++i) {
            votes += staking.activeShares(node, Tranche.Votes, actors[i]);
        }
        VM.assertEq(votes, row.votes.activeShares);
        VM.assertEq(staking.activeShares(node, Tranche.Own, row.owner), row.own.activeShares);
        uint256 own = waiting[node][Tranche.Own][row.own.generation];
        VM.assertEq(row.own.activeShares + own, row.own.shares);
        VM.assertEq(row.votes.activeShares + waiting[node][Tranche.Votes][row.votes.generation], row.votes.shares);
    }

    function waitingIn(Bucket memory b) internal view returns (uint256) {
        return staking.unbondingShares(b.node, b.tranche, b.holder, b.index);
    }

    /// @dev An operator key is bound to its first node for ever.
    function operatorsStay(uint256 seed) internal view {
        address operator = everyOperator[seed % everyOperator.length];
        (uint32 node,) = staking.operatorOf(operator);
        VM.assertEq(node, firstNodeOf[operator]);
    }

    /// @dev All stake and idle stake, in wei: what Staking owes without any reward.
    function principal() internal view returns (uint256 sum) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            sum += staking.idleStake(actors[i]);
        }
        for (uint256 i = 0; i < everyNode.length; ++i) {
            NodeView memory row = staking.nodeOf(everyNode[i]);
            sum += row.own.tokens + row.votes.tokens;
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, Role, Tranche} from "../src/interfaces/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @title A year of emission, compared with a model that knows nothing of accumulators, and what a year pays.
/// @notice The rows that these tests print are drawn in docs/emission.md by emission.py.
contract EmissionTest is StakingFixture {
    using Strings for uint256;

    event log(string row);

    /// @dev What rounding may cost one node in a year, in wei.
    uint256 private constant DUST = 1e9;

    /// @dev What `cuckoo deploy` sets unless told otherwise, a year.
    uint256 private constant A_YEAR = 20_000_000 ether;

    /// @dev The model of one role: what is left, and what each node is owed.
    struct Model {
        uint256 reserve;
        uint256 rate;
    }

    mapping(Role role => Model model) private _models;
    mapping(uint32 node => uint256 amount) private _owed;
    mapping(uint32 node => uint256 amount) private _paid;
    uint32[] private _nodes;
    uint256 private _lastStep;
    uint256 private _random = 1;
    uint256 private _fault;
    uint256 private _dryDays;

    function role(uint256 index) private pure returns (Role) {
        return index == 0 ? Role.Miner : Role.Coordinator;
    }

    function fund(uint256 amount) private {
        VM.prank(FUNDER);
        staking.fundReserve(amount);
        _models[Role.Miner].reserve += amount * 6 / 10;
        _models[Role.Coordinator].reserve += amount - amount * 6 / 10;
    }

    function setRate(uint256 weiPerSecond) private {
        VM.prank(GOVERNOR);
        staking.setEmissionRate(weiPerSecond);
        _models[Role.Miner].rate = weiPerSecond * 6 / 10;
        _models[Role.Coordinator].rate = weiPerSecond - weiPerSecond * 6 / 10;
    }

    /// @dev Shares out what the time since the last step is worth, by the weights that held meanwhile.
    function modelStep() private {
        uint256 elapsed = time() - _lastStep;
        _lastStep = time();
        bool dry;
        for (uint256 i = 0; i < 2; ++i) {
            Model storage model = _models[role(i)];
            uint256 total;
            for (uint256 n = 0; n < _nodes.length; ++n) {
                if (rowOf(_nodes[n]).role == role(i)) total += weightOf(_nodes[n]);
            }
            if (total == 0) continue;
            uint256 streamed = model.rate * elapsed;
            if (streamed >= model.reserve) {
                streamed = model.reserve;
                dry = true;
            }
            model.reserve -= streamed;
            for (uint256 n = 0; n < _nodes.length; ++n) {
                if (rowOf(_nodes[n]).role == role(i)) _owed[_nodes[n]] += streamed * weightOf(_nodes[n]) / total;
            }
        }
        if (dry) ++_dryDays;
    }

    function random(uint256 below) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % below;
    }

    function collect(uint32 node) private {
        _paid[node] += claimOf(node, Tranche.Own, rowOf(node).owner) + claimOf(node, Tranche.Votes, VOTER)
        + claimOf(node, Tranche.Votes, VOTER2);
    }

    /// @dev One thing that changes weights, or does not.
    function somebodyActs() private {
        uint32 node = _nodes[random(_nodes.length)];
        address voter = random(2) == 0 ? VOTER : VOTER2;
        uint256 held = staking.activeShares(node, Tranche.Votes, voter);
        uint256 what = random(8);
        if (what < 3) {
            voteFor(node, voter, CAI + random(200_000 * CAI));
        } else if (what < 5 && held > 0) {
            unvoteFrom(node, Tranche.Votes, voter, 1 + random(held));
        } else if (what == 5) {
            collect(node);
        } else if (what == 6 && random(8) == 0) {
            slashNode(node, Fault.Judged, ++_fault, 0);
        } else {
            free(node);
        }
    }

    /// @dev Brings a node out of jail, with the stake that it needs.
    function free(uint32 node) private {
        address owner = rowOf(node).owner;
        uint256 minimum = rowOf(node).role == Role.Miner ? 20_000 * CAI : 2_000_000 * CAI;
        uint256 own = rowOf(node).own.activeTokens;
        VM.startPrank(owner);
        if (own < minimum) staking.vote(node, Tranche.Own, minimum - own + CAI, 0);
        uint256 until = rowOf(node).jailedUntil;
        if (until != 0 && until <= time()) staking.unjail(node);
        VM.stopPrank();
    }

    function printDay(uint256 day) private {
        (uint256 minersWeight,, uint256 miners) = staking.roleOf(Role.Miner);
        (uint256 coordinatorsWeight,, uint256 coordinators) = staking.roleOf(Role.Coordinator);
        emit log(string.concat(
                "year,",
                day.toString(),
                ",",
                (minersWeight / CAI).toString(),
                ",",
                (coordinatorsWeight / CAI).toString(),
                ",",
                (miners / CAI).toString(),
                ",",
                (coordinators / CAI).toString()
            ));
    }

    /// @dev One day of the year below; a call of its own, so that its memory is given back.
    function oneDay(uint256 day) external {
        if (day < 140 && day % 20 == 0) {
            bool miner = day % 40 == 0;
            (Role which, uint256 amount) =
                miner ? (Role.Miner, (20_000 + day * 1000) * CAI) : (Role.Coordinator, (2_000_000 + day) * CAI);
            _nodes.push(newNode(day % 60 == 0 ? OWNER : OTHER, which, amount));
        }
        if (day == 120) setRate(A_YEAR / 365 days / 2);
        if (day == 300) fund(1_000_000 * CAI);
        // Off the full day, so that no two steps are alike.
        pass(1 days - random(3600));
        modelStep();
        for (uint256 i = 0; i < 3; ++i) {
            somebodyActs();
        }
        for (uint256 n = 0; n < _nodes.length; ++n) {
            staking.poke(_nodes[n]);
        }
        if (day % 5 == 4 || day == 0) printDay(day + 1);
    }

    /// @dev Four miners and three coordinators; votes, slashes and jails; a rate that is halved; a reserve that runs dry
    /// and is filled again.
    function test_year__weights_change_and_the_reserve_runs_dry__all_are_paid_by_the_model() public {
        fund(9_000_000 * CAI);
        setRate(A_YEAR / 365 days);
        pass(3 days); // nobody is there: nothing is streamed
        _lastStep = time();
        for (uint256 day = 0; day < 365; ++day) {
            this.oneDay(day);
        }
        uint256 paid;
        for (uint256 n = 0; n < _nodes.length; ++n) {
            uint32 node = _nodes[n];
            collect(node);
            VM.assertApproxEqAbs(_paid[node], _owed[node], DUST);
            VM.assertGt(_paid[node], 1000 * CAI);
            paid += _paid[node];
        }
        uint256 left;
        for (uint256 i = 0; i < 2; ++i) {
            (,, uint256 reserve) = staking.roleOf(role(i));
            VM.assertEq(reserve, _models[role(i)].reserve);
            left += reserve;
        }
        VM.assertGt(_dryDays, 10);
        VM.assertGe(365 - 100, _dryDays);
        // Nothing comes from anywhere else, and nothing but dust stays.
        VM.assertLe(paid + left, 10_000_000 * CAI);
        VM.assertGe(paid + left + _nodes.length * DUST, 10_000_000 * CAI);
    }

    /// @dev Two equal nodes, half of each its owner's and half a voter's; what they earn in a year at the default rate.
    function yearWith(Role which, uint256 total) private returns (uint256 own, uint256 votes) {
        setUp();
        address[4] memory people = [OWNER, OTHER, VOTER, VOTER2];
        for (uint256 i = 0; i < 4; ++i) {
            VM.prank(people[i]);
            staking.stake(50_000_000 * CAI);
        }
        uint32 first = newNode(OWNER, which, total / 4);
        uint32 second = newNode(OTHER, which, total / 4);
        voteFor(first, VOTER, total / 4);
        voteFor(second, VOTER2, total / 4);
        VM.prank(FUNDER);
        staking.fundReserve(100_000_000 * CAI);
        VM.prank(GOVERNOR);
        staking.setEmissionRate(A_YEAR / 365 days);
        pass(365 days);
        own = claimOf(first, Tranche.Own, OWNER) + claimOf(second, Tranche.Own, OTHER);
        votes = claimOf(first, Tranche.Votes, VOTER) + claimOf(second, Tranche.Votes, VOTER2);
    }

    function test_yield__against_total_stake__is_the_emission_divided_by_it() public {
        uint256[7] memory totals =
            [uint256(5_000_000), 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000, 400_000_000];
        for (uint256 i = 0; i < 2; ++i) {
            uint256 emission = A_YEAR * (i == 0 ? 60 : 40) / 100;
            for (uint256 t = i; t < totals.length; ++t) {
                (uint256 own, uint256 votes) = yearWith(role(i), totals[t] * CAI);
                // The rate is in whole wei a second.
                VM.assertApproxEqAbs(own + votes, emission, 100 * 365 days);
                VM.assertApproxEqAbs(votes, emission * 45 / 100, 100 * 365 days);
                emit log(string.concat(
                        i == 0 ? "yield,miners," : "yield,coordinators,",
                        totals[t].toString(),
                        ",",
                        (own * 1e6 / (totals[t] * CAI / 2)).toString(),
                        ",",
                        (votes * 1e6 / (totals[t] * CAI / 2)).toString()
                    ));
            }
        }
    }
}

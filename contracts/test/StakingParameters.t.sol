// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Staking} from "../src/Staking.sol";
import {Parameters} from "../src/interfaces/StakingTypes.sol";
import {StakingParameters} from "../src/staking/StakingParameters.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract StakingParametersTest is StakingFixture {
    /// @dev The parameters of the main network, DESIGN's section 12.
    function main() private pure returns (Parameters memory) {
        return Parameters({
            unbonding: 14 days,
            releaseBucket: 1 days,
            reportWindow: 6 days,
            claim: 6 hours,
            commit: 24 hours,
            reveal: 24 hours,
            appeal: 24 hours,
            buffer: 60 hours,
            longestDeadline: 2 hours,
            feeStream: 7 days,
            juryEpoch: 7 days,
            drawPeriod: 1 hours,
            drawLead: 1 hours,
            commissionNotice: 16 days,
            jail: 7 days
        });
    }

    function deploy(Parameters memory p) private {
        new Staking(token, GOVERNOR, p, new address[](0));
    }

    function deployRefused(Parameters memory p, string memory name, uint256 low, uint256 high, uint256 actual) private {
        VM.expectRevert(
            abi.encodeWithSelector(StakingParameters.ParameterOutOfBounds.selector, name, low, high, actual)
        );
        deploy(p);
    }

    function test_constructor__main_network__accepted() public {
        VM.chainId(1);
        Staking deployed = new Staking(token, GOVERNOR, main(), new address[](0));
        VM.assertEq(keccak256(abi.encode(deployed.parameters())), keccak256(abi.encode(main())));
        VM.assertEq(address(deployed.token()), address(token));
        VM.assertEq(deployed.owner(), GOVERNOR);
    }

    function test_constructor__short_periods_off_the_devnet__refused() public {
        VM.chainId(1);
        deployRefused(devnet(), "unbonding", 7 days, 60 days, 240);
        Parameters memory p = main();
        p.jail = 20;
        deployRefused(p, "jail", 1 days, 60 days, 20);
    }

    function test_constructor__dispute_outlasts_unbonding__refused() public {
        Parameters memory p = devnet();
        p.unbonding = 209;
        deployRefused(p, "unbonding", 210, 60 days, 209);
        p.unbonding = 210;
        deploy(p);
        VM.chainId(1);
        p = main();
        p.buffer += 1;
        deployRefused(p, "unbonding", 14 days + 1, 60 days, 14 days);
    }

    function test_constructor__buffer_below_longest_deadline__refused() public {
        Parameters memory p = devnet();
        p.buffer = 59;
        deployRefused(p, "buffer", 60, 30 days, 59);
    }

    function test_constructor__commission_rises_before_voters_are_out__refused() public {
        Parameters memory p = devnet();
        p.commissionNotice = 249;
        deployRefused(p, "commissionNotice", 250, 90 days, 249);
    }

    function test_constructor__claim_longer_than_jury_epoch__refused() public {
        Parameters memory p = devnet();
        p.claim = 21;
        deployRefused(p, "claim", 1, 20, 21);
    }

    function test_constructor__zero_period__refused() public {
        Parameters memory p = devnet();
        p.releaseBucket = 0;
        deployRefused(p, "releaseBucket", 1, 7 days, 0);
    }

    function test_slashers__named_at_deployment__only_they() public view {
        VM.assertTrue(staking.isSlasher(SLASHER));
        VM.assertFalse(staking.isSlasher(GOVERNOR));
    }
}

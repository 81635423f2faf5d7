// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {Parameters} from "../interfaces/StakingTypes.sol";

/// @title The network parameters, checked once and then fixed.
abstract contract StakingParameters is IStaking {
    /// @dev The chain id of a local development chain, the only one on which periods may be short.
    uint256 private constant DEVNET = 31_337;

    CuckooToken internal immutable TOKEN;
    uint32 internal immutable UNBONDING;
    uint32 internal immutable RELEASE_BUCKET;
    uint32 internal immutable REPORT_WINDOW;
    uint32 internal immutable CLAIM;
    uint32 internal immutable COMMIT;
    uint32 internal immutable REVEAL;
    uint32 internal immutable APPEAL;
    uint32 internal immutable BUFFER;
    uint32 internal immutable LONGEST_DEADLINE;
    uint32 internal immutable FEE_STREAM;
    uint32 internal immutable JURY_EPOCH;
    uint32 internal immutable DRAW_PERIOD;
    uint32 internal immutable DRAW_LEAD;
    uint32 internal immutable COMMISSION_NOTICE;
    uint32 internal immutable JAIL;

    /// @notice The parameter `name` is `actual`; it must lie within `low` and `high`.
    error ParameterOutOfBounds(string name, uint256 low, uint256 high, uint256 actual);

    constructor(CuckooToken token_, Parameters memory p) {
        _period("unbonding", p.unbonding, 7 days, 60 days);
        _period("releaseBucket", p.releaseBucket, 1 hours, 7 days);
        _period("reportWindow", p.reportWindow, 1 days, 30 days);
        _period("claim", p.claim, 1 hours, p.juryEpoch);
        _period("commit", p.commit, 1 hours, 30 days);
        _period("reveal", p.reveal, 1 hours, 30 days);
        _period("appeal", p.appeal, 1 hours, 30 days);
        _period("longestDeadline", p.longestDeadline, 10 minutes, 1 days);
        _within("buffer", p.buffer, p.longestDeadline, 30 days);
        _period("feeStream", p.feeStream, 1 days, 365 days);
        _period("juryEpoch", p.juryEpoch, 1 days, 30 days);
        _period("drawPeriod", p.drawPeriod, 10 minutes, 1 days);
        _period("drawLead", p.drawLead, 10 minutes, 1 days);
        _period("jail", p.jail, 1 days, 60 days);
        // Whoever voted for a node must still be at risk when the last dispute over its last work ends.
        uint256 longestDispute = 2 * (uint256(p.claim) + p.commit + p.reveal) + p.appeal;
        _within("unbonding", p.unbonding, p.reportWindow + longestDispute + p.buffer, 60 days);
        // Whoever does not like a higher commission must be able to leave before it holds.
        _within("commissionNotice", p.commissionNotice, uint256(p.unbonding) + p.releaseBucket, 90 days);

        TOKEN = token_;
        UNBONDING = p.unbonding;
        RELEASE_BUCKET = p.releaseBucket;
        REPORT_WINDOW = p.reportWindow;
        CLAIM = p.claim;
        COMMIT = p.commit;
        REVEAL = p.reveal;
        APPEAL = p.appeal;
        BUFFER = p.buffer;
        LONGEST_DEADLINE = p.longestDeadline;
        FEE_STREAM = p.feeStream;
        JURY_EPOCH = p.juryEpoch;
        DRAW_PERIOD = p.drawPeriod;
        DRAW_LEAD = p.drawLead;
        COMMISSION_NOTICE = p.commissionNotice;
        JAIL = p.jail;
    }

    /// @inheritdoc IStaking
    function token() external view returns (CuckooToken) {
        return TOKEN;
    }

    /// @inheritdoc IStaking
    function parameters() external view returns (Parameters memory) {
        return Parameters({
            unbonding: UNBONDING,
            releaseBucket: RELEASE_BUCKET,
            reportWindow: REPORT_WINDOW,
            claim: CLAIM,
            commit: COMMIT,
            reveal: REVEAL,
            appeal: APPEAL,
            buffer: BUFFER,
            longestDeadline: LONGEST_DEADLINE,
            feeStream: FEE_STREAM,
            juryEpoch: JURY_EPOCH,
            drawPeriod: DRAW_PERIOD,
            drawLead: DRAW_LEAD,
            commissionNotice: COMMISSION_NOTICE,
            jail: JAIL
        });
    }

    /// @dev Short periods are for a local development chain, where `low` does not hold.
    function _period(string memory name, uint256 actual, uint256 low, uint256 high) private view {
        _within(name, actual, block.chainid == DEVNET ? 1 : low, high);
    }

    function _within(string memory name, uint256 actual, uint256 low, uint256 high) private pure {
        if (actual < low || actual > high) revert ParameterOutOfBounds(name, low, high, actual);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CuckooToken} from "../CuckooToken.sol";
import {IStaking} from "./IStaking.sol";

/// @notice A coordinator's promise to pay one miner, signed by its operator under the domain of Staking.
/// @param coordinatorNode Who promises.
/// @param minerNode Who is promised.
/// @param cumulative Everything promised since the first task, in wei. It never falls.
struct Voucher {
    uint32 coordinatorNode;
    uint32 minerNode;
    uint256 cumulative;
}

/// @title Escrow: what coordinators hold ready for miners, and the vouchers that miners redeem from it.
/// @notice A balance belongs to one pair of coordinator and miner, so that nobody else's voucher can empty it. What a
/// voucher can not be paid from it stays owed, and is paid when the balance grows: nothing is seized. A miner must not let
/// what is unredeemed and in flight exceed the part of the balance that does not thaw.
interface IEscrow {
    event Deposited(uint32 indexed coordinator, uint32 indexed miner, address indexed from, uint256 amount);
    /// @notice `thawing` is all that thaws now; it can be withdrawn from `thawedAt` on.
    event ThawStarted(
        uint32 indexed coordinator, uint32 indexed miner, uint256 amount, uint256 thawing, uint40 thawedAt
    );
    event ThawedWithdrawn(uint32 indexed coordinator, uint32 indexed miner, address indexed to, uint256 amount);
    /// @notice Of `amount`, `fees` are kept for the stakers of the miner and the rest went to `payee`.
    event Redeemed(
        uint32 indexed coordinator,
        uint32 indexed miner,
        address indexed payee,
        uint256 amount,
        uint256 fees,
        uint256 redeemed
    );
    event FeesPassed(uint32 indexed coordinator, uint32 indexed miner, uint256 amount);

    /// @notice The thaw is `actual` seconds; it must lie within `low` and `high`.
    error ThawOutOfBounds(uint256 low, uint256 high, uint256 actual);
    error AmountZero();
    error NotMiner(uint32 node);
    error NotCoordinator(uint32 node);
    /// @notice `miners` and `amounts` miners and amounts were named; there must be as many of each.
    error LengthsDiffer(uint256 miners, uint256 amounts);
    error TooMany(uint256 limit, uint256 actual);
    /// @notice The caller is neither owner nor operator of the coordinator.
    error NotPayer(uint32 coordinator, address caller);
    /// @notice `required` wei were named, and `actual` do not thaw yet.
    error BalanceTooLow(uint256 required, uint256 actual);
    error NothingThaws(uint32 coordinator, uint32 miner);
    error StillThawing(uint256 thawedAt);
    /// @notice Whoever signed the voucher never was the coordinator's operator.
    error VoucherSignerInvalid(uint32 coordinator, address signer);
    /// @notice The signer was replaced; its vouchers were valid until `validUntil`.
    error VoucherSignerReplaced(address signer, uint256 validUntil);
    /// @notice All that the voucher promises was paid already (`redeemed` wei), or the balance is empty.
    error NothingToRedeem(uint256 redeemed, uint256 balance);
    error NoFees(uint32 coordinator, uint32 miner);

    /// @notice Adds CAI of the caller to what a coordinator holds ready for a miner. Anyone may call.
    function deposit(uint32 coordinator, uint32 miner, uint256 amount) external;

    /// @notice `deposit` for several miners, at most 100, with one transfer.
    function depositMany(uint32 coordinator, uint32[] calldata miners, uint256[] calldata amounts) external;

    /// @notice Announces that `amount` more is to be withdrawn. The time starts anew for all that thaws. Thawing funds can
    /// still be redeemed, after all others. Owner or operator of the coordinator.
    function thaw(uint32 coordinator, uint32 miner, uint256 amount) external;

    /// @notice Pays what has thawed, and was not redeemed, to the coordinator's owner. Anyone may call.
    /// @return amount What was paid, in wei.
    function withdrawThawed(uint32 coordinator, uint32 miner) external returns (uint256 amount);

    /// @notice Pays what a voucher promises beyond what was paid before, as far as the balance reaches: nine tenths to
    /// the miner's payee; the rest is kept for its stakers, for `passFees`. Anyone may call.
    /// @param voucher The promise; an older one than was redeemed is refused.
    /// @param signature r, s, v by the coordinator's operator, or by one that was replaced less than one thaw ago.
    /// @return amount What was paid, in wei.
    function redeem(Voucher calldata voucher, bytes calldata signature) external returns (uint256 amount);

    /// @notice Passes what is kept for a miner's stakers on to Staking, which streams it. Apart from `redeem`, because it costs
    /// more than that and is seldom needed; and so that nothing in Staking can hold up a payment. Anyone may call.
    /// @return amount What was passed on, in wei.
    function passFees(uint32 coordinator, uint32 miner) external returns (uint256 amount);

    /// @notice What a coordinator holds ready for a miner.
    /// @return balance All of it, in wei.
    /// @return thawing The part of it that is announced to be withdrawn, in wei.
    /// @return thawedAt When that part can be withdrawn, unix seconds; meaningless if nothing thaws.
    /// @return redeemed What was ever paid to the miner, in wei: `cumulative` of a voucher must be higher.
    /// @return fees What is kept for the miner's stakers and not passed on yet, in wei. It is not part of `balance`.
    function account(uint32 coordinator, uint32 miner)
        external
        view
        returns (uint256 balance, uint256 thawing, uint40 thawedAt, uint256 redeemed, uint256 fees);

    /// @notice What the operator signs for a voucher: its EIP-712 digest on the present chain.
    function voucherDigest(Voucher calldata voucher) external view returns (bytes32);

    /// @notice How long announced funds stay redeemable, and vouchers of a replaced operator valid, in seconds.
    function thawS() external view returns (uint32);

    /// @notice The contract that knows the nodes, and under whose domain vouchers are signed.
    function staking() external view returns (IStaking);

    /// @notice The token that is paid.
    function token() external view returns (CuckooToken);
}

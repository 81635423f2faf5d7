// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Disputes} from "../src/Disputes.sol";
import {Staking} from "../src/Staking.sol";
import {Messages} from "../src/disputes/Messages.sol";
import {
    Assignment,
    DisputeParameters,
    Phase,
    Receipt,
    RuntimeProfile,
    SignedAssignment,
    SignedReceipt,
    Verdict
} from "../src/interfaces/DisputeTypes.sol";
import {IStaking} from "../src/interfaces/IStaking.sol";
import {Registration, Role} from "../src/interfaces/StakingTypes.sol";
import {FixedRandomness} from "./FixedRandomness.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title A coordinator, the miner it accuses, and three jurors of equal weight, hence 7 of 21 seats each.
abstract contract DisputesFixture is StakingFixture {
    uint256 internal constant COORDINATOR_KEY = 0xC0;
    uint256 internal constant MINER_KEY = 0xD0;
    uint256 internal constant JUROR_KEY = 0xE0;
    uint96 internal constant FEE = 5 ether;
    uint256 internal constant BOND = 210 * CAI;
    uint256 internal constant APPEAL_BOND = 430 * CAI;
    bytes32 internal constant SEED = keccak256("seed");
    bytes32 internal constant SALT = keccak256("salt");
    bytes32 internal constant DIGEST = keccak256("digest");

    Disputes internal disputes;
    FixedRandomness internal source;
    uint32 internal coordinator;
    uint32 internal miner;
    uint32[3] internal jurors;

    function setUp() public virtual override {
        super.setUp();
        source = new FixedRandomness();
        source.set(1, SEED);
        address[] memory slashers = new address[](2);
        slashers[0] = VM.computeCreateAddress(address(this), VM.getNonce(address(this)) + 1);
        slashers[1] = SLASHER;
        staking = new Staking(token, GOVERNOR, devnet(), slashers);
        disputes = new Disputes(IStaking(address(staking)), source, standard());
        address[4] memory people = [OWNER, OTHER, VOTER, VOTER2];
        for (uint256 i = 0; i < 4; ++i) {
            VM.startPrank(people[i]);
            token.approve(address(staking), type(uint256).max);
            token.approve(address(disputes), type(uint256).max);
            staking.stake(40_000_000 * CAI);
            VM.stopPrank();
        }
        coordinator = registered(OTHER, Role.Coordinator, 2_000_000 * CAI, COORDINATOR_KEY);
        miner = registered(OWNER, Role.Miner, 20_000 * CAI, MINER_KEY);
        for (uint256 i = 0; i < 3; ++i) {
            jurors[i] = registered(i < 2 ? VOTER : VOTER2, Role.Miner, 100_000 * CAI, JUROR_KEY + i);
        }
        VM.warp((time() / 20 + 1) * 20);
    }

    /// @dev The parameters of DESIGN's section 12.
    function standard() internal pure returns (DisputeParameters memory) {
        return DisputeParameters({coordinatorAlone: 30, seats: 21, quorum: 5, fee: FEE});
    }

    function registered(address owner, Role role, uint256 amount, uint256 key) internal returns (uint32) {
        Registration memory r = registration(owner, role, amount, key);
        VM.prank(owner);
        return staking.register(r);
    }

    /// @dev Gives a node another operator.
    function rotate(uint32 node, address owner, Role role, uint256 key) internal {
        bytes memory agreed = consent(owner, role, key, time() + 60);
        VM.prank(owner);
        staking.rotateOperator(node, VM.addr(key), time() + 60, agreed);
    }

    function moveNode(uint32 node, address from, address to) internal {
        VM.prank(from);
        staking.transferOwner(node, to);
        VM.prank(to);
        staking.acceptOwner(node);
    }

    // ------------------------------------------------------------------------------------------------- evidence

    /// @dev An assignment whose deadline was just reached; tests change one thing in it.
    function assignment() internal view returns (Assignment memory) {
        return Assignment({
            coordinatorNode: coordinator,
            minerNode: miner,
            taskId: bytes16(keccak256("task")),
            attempt: 1,
            sequence: 9,
            parametersHash: keccak256("parameters"),
            price: CAI,
            deadline: sinceStart(time() - start),
            seedTip: keccak256("tip"),
            drawIndex: 5,
            drawHead: keccak256("head"),
            drawBlock: 77
        });
    }

    /// @dev A receipt over an assignment; tests change one thing in it.
    function receipt(bytes32 assignmentHash) internal view returns (Receipt memory r) {
        r.assignmentHash = assignmentHash;
        r.pictureHashes = new bytes32[](2);
        r.pictureHashes[0] = keccak256("picture 0");
        r.pictureHashes[1] = keccak256("picture 1");
        r.latentsRoot = keccak256("latents");
        r.profile = RuntimeProfile({
            device: "cpu", dtype: "float32", torch: "2.13.0", attention: "sdpa", threads: 1, isa: "AVX2", batchBucket: 1
        });
        r.finishedAt = sinceStart(time() - start);
    }

    function signature(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, Messages.digest(address(staking), structHash));
        return abi.encodePacked(r, s, v);
    }

    function signed(uint256 key, Assignment memory a) internal view returns (SignedAssignment memory) {
        return SignedAssignment({assignment: a, signature: signature(key, Messages.hashAssignment(a))});
    }

    function signed(uint256 key, Receipt memory r) internal view returns (SignedReceipt memory) {
        return SignedReceipt({receipt: r, signature: signature(key, Messages.hashReceipt(r))});
    }

    /// @dev An assignment and its receipt, both signed by whom they should be.
    function evidence(Assignment memory a) internal view returns (SignedAssignment memory, SignedReceipt memory) {
        return (signed(COORDINATOR_KEY, a), signed(MINER_KEY, receipt(Messages.hashAssignment(a))));
    }

    function faultOf(Assignment memory a) internal view returns (bytes32) {
        return disputes.faultIdOf(a.coordinatorNode, a.minerNode, Messages.hashAssignment(a));
    }

    // ------------------------------------------------------------------------------------------------- disputes

    function openAs(address accuser, Assignment memory a) internal returns (uint256) {
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(a);
        VM.prank(accuser);
        return disputes.open(work, result);
    }

    function openRefused(address accuser, Assignment memory a, bytes memory reason) internal {
        (SignedAssignment memory work, SignedReceipt memory result) = evidence(a);
        VM.expectRevert(reason);
        VM.prank(accuser);
        disputes.open(work, result);
    }

    /// @dev A dispute that the coordinator's owner opened.
    function opened() internal returns (uint256) {
        return openAs(OTHER, assignment());
    }

    function jurorAddress(uint256 i) internal pure returns (address) {
        return VM.addr(JUROR_KEY + i);
    }

    function claimSeats(uint256 id, uint256 i) internal returns (uint256 seats) {
        VM.prank(jurorAddress(i));
        return disputes.claimSeats(id, jurors[i]);
    }

    function commitmentBy(uint256 id, uint256 i, Verdict verdict) internal view returns (bytes32) {
        return disputes.commitmentOf(id, disputes.disputeOf(id).rounds - 1, jurors[i], verdict, DIGEST, SALT);
    }

    function commit(uint256 id, uint256 i, Verdict verdict) internal {
        bytes32 commitment = commitmentBy(id, i, verdict);
        VM.prank(jurorAddress(i));
        disputes.commit(id, jurors[i], commitment);
    }

    function reveal(uint256 id, uint256 i, Verdict verdict) internal {
        disputes.reveal(id, jurors[i], verdict, DIGEST, SALT);
    }

    /// @dev All jurors claim, and those whose verdict is not `None` speak. Ends when revealing has ended.
    function judge(uint256 id, Verdict first, Verdict second, Verdict third) internal {
        Verdict[3] memory verdicts = [first, second, third];
        for (uint256 i = 0; i < 3; ++i) {
            claimSeats(id, i);
        }
        pass(10);
        for (uint256 i = 0; i < 3; ++i) {
            if (verdicts[i] != Verdict.None) commit(id, i, verdicts[i]);
        }
        pass(20);
        for (uint256 i = 0; i < 3; ++i) {
            if (verdicts[i] != Verdict.None) reveal(id, i, verdicts[i]);
        }
        pass(10);
    }

    function appealAs(address appellant, uint256 id) internal {
        VM.prank(appellant);
        disputes.appeal(id);
    }

    /// @dev Lets the time to appeal pass, if there is one, and ends the dispute.
    function end(uint256 id) internal {
        pass(10);
        disputes.execute(id);
    }

    function settleAll(uint256 id, uint256 round) internal {
        for (uint256 i = 0; i < 3; ++i) {
            disputes.settleJuror(id, round, jurors[i]);
        }
    }

    function withdrawAs(address account) internal returns (uint256) {
        VM.prank(account);
        return disputes.withdraw();
    }

    function phaseOf(uint256 id) internal view returns (uint256) {
        return uint256(disputes.disputeOf(id).phase);
    }

    function ownOf(uint32 node) internal view returns (uint256) {
        return staking.nodeOf(node).own.tokens;
    }

    function inWallet(address account) internal view returns (uint256) {
        return token.balanceOf(account);
    }

    function assertPhase(uint256 id, Phase phase, uint256 ends) internal view {
        VM.assertEq(phaseOf(id), uint256(phase));
        VM.assertEq(disputes.disputeOf(id).phaseEnds, ends);
    }
}

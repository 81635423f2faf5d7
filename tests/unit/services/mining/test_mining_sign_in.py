from cuckoo.protocol.signing import Signer


async def test_sign_in__genuine_coordinator__session_with_what_the_miner_has(network):
    async with network.running():
        await network.until(network.polled(2))
    proof = network.coordinator.proofs[0]
    assert proof.slots == 2
    assert [offer.name for offer in proof.models] == ["tiny"]
    assert proof.device == "cpu"
    assert network.coordinator.signed_out == 1


async def test_sign_in__signed_by_somebody_else__the_miner_signs_nothing(network):
    network.coordinator.signs_as = Signer(b"\x66" * 32)
    async with network.running() as mining:
        await network.until(lambda: network.coordinator.requests)
        await network.until(lambda: mining.chosen)
        await network.clock.pass_(30)
        assert not network.coordinator.proofs
        assert not network.coordinator.polls
        assert len(network.coordinator.requests) == 1


async def test_sign_in__relayed_from_another_origin__the_miner_signs_nothing(network):
    network.coordinator.signs_origin = "http://127.0.0.1:9999"
    async with network.running():
        await network.until(lambda: network.coordinator.requests)
        await network.clock.pass_(30)
        assert not network.coordinator.proofs


async def test_sign_in__offer_that_has_expired__the_miner_signs_nothing(network):
    network.coordinator.expiry_s = -1
    async with network.running():
        await network.until(lambda: network.coordinator.requests)
        await network.clock.pass_(30)
        assert not network.coordinator.proofs


async def test_sign_in__distrusted_for_a_while__tried_again(network):
    network.coordinator.signs_as = Signer(b"\x66" * 32)
    async with network.running():
        await network.until(lambda: network.coordinator.requests)
        network.coordinator.signs_as = network.coordinator.signer
        await network.until(network.polled(2), passing_s=5)


async def test_sign_in__marks__exchanged_and_kept(network):
    network.coordinator.last_sequence = 41
    async with network.running():
        await network.until(network.polled(2))
    assert network.coordinator.requests[0].last_sequence == 0
    assert await network.receipts.last_sequence(1) == 41


async def test_session__runs_out__renewed_before(network):
    async with network.running():
        await network.until(network.polled(2))
        assert len(network.coordinator.proofs) == 1
        await network.until(lambda: len(network.coordinator.proofs) == 2, passing_s=25)
        assert network.coordinator.clock.now() < 1_800_000_000 + 3_600


async def test_session__coordinator_restarted__signed_in_again(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.restart()
        await network.until(lambda: len(network.coordinator.proofs) == 2, passing_s=1)
        await network.until(network.polled(4), passing_s=1)


async def test_session__coordinator_away__back_off_then_back(network):
    network.coordinator.reachable = False
    async with network.running():
        await network.until(lambda: True)
        await network.clock.pass_(60)
        assert not network.coordinator.polls
        network.coordinator.reachable = True
        await network.until(network.polled(2), passing_s=1)


async def test_sign_in__coordinator_is_starting__asked_again_when_it_said(network):
    from cuckoo.domain.errors import Unavailable

    sign_in, refusals = network.coordinator.sign_in, [Unavailable("starting", 3.0)]

    async def starting(request):
        if refusals:
            raise refusals.pop()
        return await sign_in(request)

    network.coordinator.sign_in = starting
    async with network.running():
        await network.until(lambda: not refusals)
        await network.until(lambda: network.coordinator.proofs, passing_s=0.5)
        assert network.clock.now() - 1_800_000_000 < 5


async def test_session__fewer_pixels_fit_now__signed_in_again_to_say_so(network):
    async with network.running():
        await network.until(network.polled(2))
        import msgspec

        model = network.pool.model
        limits = msgspec.structs.replace(model.limits, max_pixels=1_024)
        network.pool.model = msgspec.structs.replace(model, limits=limits)
        await network.until(lambda: len(network.coordinator.proofs) == 2, passing_s=5)
        assert network.coordinator.proofs[1].models[0].max_pixels == 1_024

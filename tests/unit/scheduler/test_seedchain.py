"""The hash chain that seeds draws."""

import pytest

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.keccak import keccak256
from cuckoo.scheduler.seedchain import LINKS, SeedChain, period_seed, verify_link


@pytest.fixture(scope="module")
def chain():
    return SeedChain(bytes(range(32)))


def test_link__first_periods__hash_up_to_the_tip(chain):
    assert keccak256(chain.link(0)) == chain.tip
    assert keccak256(keccak256(chain.link(1))) == chain.tip
    for k in (255, 256, 257, 1_000):
        assert keccak256(chain.link(k)) == chain.link(k - 1)
        assert verify_link(chain.tip, k, chain.link(k))
        assert not verify_link(chain.tip, k + 1, chain.link(k))


def test_link__last_one__is_the_secret(chain):
    assert chain.link(LINKS - 1) == bytes(range(32))


@pytest.mark.parametrize("k", [-1, LINKS])
def test_link__outside_the_chain__is_refused(chain, k):
    with pytest.raises(ValueError, match="commit a new tip"):
        chain.link(k)
    assert not verify_link(chain.tip, k, bytes(32))


def test_seed__layout__is_link_block_hash_node():
    assert period_seed(b"a" * 32, b"b" * 32, NodeId(258)) == keccak256(b"a" * 32 + b"b" * 32 + b"\x00\x00\x01\x02")
    with pytest.raises(ValueError, match="32 bytes"):
        period_seed(b"a", b"b" * 32, NodeId(1))

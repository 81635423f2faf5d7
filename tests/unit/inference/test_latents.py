"""The file with a job's latents: what is shown of it can be checked."""

import pytest

from cuckoo.domain.errors import NotFound
from cuckoo.domain.keccak import latent_leaf, merkle_root, merkle_verify
from cuckoo.inference.latents import opened, write
from cuckoo.protocol.messages import Challenge

LATENTS = [[bytes([picture, number]) * 6 for number in range(5)] for picture in range(2)]
LEAVES = [latent_leaf(p, n, payload) for p, steps in enumerate(LATENTS) for n, payload in enumerate(steps)]


def challenge(step, picture=0, history=1):
    return Challenge(id=1, picture=picture, step=step, history=history, deadline=0)


@pytest.mark.parametrize("picture", [0, 1])
@pytest.mark.parametrize("step", range(4))
def test_opened__each_step__leads_to_the_root(tmp_path, picture, step):
    write(tmp_path / "kept", LEAVES, LATENTS)
    found = opened(tmp_path / "kept", challenge(step, picture, history=2))
    assert {one.step for one in found} >= {0, step, step + 1, 4}
    for one in found:
        assert one.payload == LATENTS[picture][one.step]
        leaf = latent_leaf(picture, one.step, one.payload)
        assert merkle_verify(merkle_root(LEAVES), leaf, picture * 5 + one.step, 10, one.proof)


@pytest.mark.parametrize(("picture", "step"), [(2, 0), (-1, 0), (0, 4), (0, -1), (0, 10**9)])
def test_opened__what_is_not_there__is_not_found(tmp_path, picture, step):
    write(tmp_path / "kept", LEAVES, LATENTS)
    with pytest.raises(NotFound, match="2 x 5 latents were kept"):
        opened(tmp_path / "kept", challenge(step, picture, history=10**9))


def test_opened__no_file_or_half_of_one__is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no latents were kept"):
        opened(tmp_path / "none", challenge(0))
    (tmp_path / "half").write_bytes(b"\0")
    with pytest.raises(NotFound, match="no latents were kept"):
        opened(tmp_path / "half", challenge(0))

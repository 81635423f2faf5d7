"""Keccak against a known value, Merkle proofs against every leaf."""

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.keccak import keccak256, latent_leaf, merkle_proof, merkle_root, merkle_verify


@given(st.binary(max_size=400))
def test_keccak256__anything__is_what_pycryptodome_says(data):
    assert keccak256(data) == keccak.new(digest_bits=256, data=data).digest()


def test_keccak256__empty__is_ethereums():
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.integers(1, 40), st.data())
def test_merkle_proof__every_leaf__verifies_there_only(count, data):
    leaves = [latent_leaf(0, step, bytes([step])) for step in range(count)]
    root = merkle_root(leaves)
    index = data.draw(st.integers(0, count - 1))
    proof = merkle_proof(leaves, index)
    assert merkle_verify(root, leaves[index], index, count, proof)
    assert not merkle_verify(root, latent_leaf(1, index, b""), index, count, proof)
    assert not merkle_verify(root, leaves[index], index, count, [*proof, bytes(32)])
    if proof:
        assert not merkle_verify(root, leaves[index], index, count, proof[:-1])
    if count > 1:
        assert not merkle_verify(root, leaves[index], (index + 1) % count, count, proof)


def test_merkle_root__no_leaf__is_refused():
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle_root([])


def test_merkle_proof__leaf_beyond__is_refused():
    with pytest.raises(ValueError, match="does not exist"):
        merkle_proof([bytes(32)], 1)


def test_merkle_verify__leaf_beyond__is_false():
    assert not merkle_verify(bytes(32), bytes(32), 3, 2, [])

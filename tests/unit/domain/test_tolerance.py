import pytest
from msgspec.structs import replace

from cuckoo.domain.task import RuntimeProfile
from cuckoo.domain.tolerance import Kinship, kinship, tolerance

CPU = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
HALF = replace(CPU, device="NVIDIA H200", dtype="float16", threads=0, isa="")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (CPU, CPU, Kinship.EQUAL),
        (CPU, replace(CPU, threads=2), Kinship.ALIKE),
        (CPU, replace(CPU, batch_bucket=4), Kinship.ALIKE),
        (CPU, replace(CPU, isa="AVX512", torch="2.14.0", attention="math"), Kinship.ALIKE),
        (CPU, replace(CPU, dtype="bfloat16"), Kinship.FAR),
        (CPU, replace(HALF, dtype="float32"), Kinship.FAR),
        (HALF, HALF, Kinship.EQUAL),
        (HALF, replace(HALF, batch_bucket=4), Kinship.FAR),  # in half precision, batches show
    ],
)
def test_kinship__two_profiles__as_near_as_their_pictures_have_to_be(one, other, expected):
    assert kinship(one, other) is kinship(other, one) is expected
    assert tolerance(one, other) == expected.bounds

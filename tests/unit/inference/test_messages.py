from io import BytesIO

import msgspec
import pytest

from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.inference import messages, models
from cuckoo.inference.messages import (
    Batch,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    FrameInvalid,
    Load,
    Loaded,
    LoadFailed,
    Progress,
    Ready,
    Run,
    Shutdown,
)

PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
PARAMETERS = TaskParameters(
    salt=bytes(range(32)),
    model_digest="ab" * 32,
    prompt="빨간 사과",
    width_px=64,
    height_px=64,
    steps=4,
    guidance_thousandths=4000,
    seed=2**63 - 9,
)
TO_CHILD = [
    Load(model=models.load_registry()["emoji-64"], device="cpu"),
    Batch(runs=(Run(job_id="a", parameters=PARAMETERS, preview_every=2),), bucket=4),
    Cancel(job_id="a"),
    Shutdown(),
]
TO_PARENT = [
    Loaded(digest="ab" * 32, profile=PROFILE, pixel_step_s=1e-6),
    LoadFailed(digest="ab" * 32, message="no"),
    Progress(job_id="a", step=1, steps=4, preview_png=b"\x89PNG"),
    Ready(job_id="a"),
    Finished(
        job_id="a",
        pictures=[b"\x89PNG"],
        picture_hashes=[bytes(32)],
        latents_root=bytes(32),
        profile=PROFILE,
        step_s=[0.1],
        seconds=0.2,
    ),
    Failed(job_id="a", kind="out_of_memory", message="m", limit_pixels=4096),
    Cancelled(job_id="a"),
]


@pytest.mark.parametrize("message", TO_CHILD, ids=lambda m: type(m).__name__)
def test_frame__every_message_to_the_child__comes_back_equal(message):
    stream = BytesIO(messages.frame(message) * 2)
    assert [messages.read_for_child(stream) for _ in range(3)] == [message, message, None]


@pytest.mark.parametrize("message", TO_PARENT, ids=lambda m: type(m).__name__)
def test_frame__every_message_to_the_parent__comes_back_equal(message):
    frame = messages.frame(message)
    assert messages.body_length(frame[:4]) == len(frame) - 4
    assert messages.for_parent(frame[4:]) == message


@pytest.mark.parametrize("cut", [1, 3, 4, 10])
def test_read_for_child__parent_gone_in_the_middle__is_the_end(cut):
    assert messages.read_for_child(BytesIO(messages.frame(TO_CHILD[1])[:cut])) is None


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", msgspec.msgpack.encode({"type": "Other"}), msgspec.msgpack.encode({"type": "Cancel"})]
)
def test_for_child__no_message_of_ours__is_refused(body):
    with pytest.raises(FrameInvalid):
        messages.for_child(body)
    with pytest.raises(FrameInvalid):
        messages.for_parent(body)


def test_body_length__beyond_the_limit__is_refused_before_memory_is_taken():
    with pytest.raises(FrameInvalid, match="at most"):
        messages.body_length(b"\xff\xff\xff\xff")


def test_messages__changed__are_frozen():
    with pytest.raises(AttributeError):
        TO_CHILD[2].job_id = "b"

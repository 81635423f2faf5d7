"""The receipt checks of the playground, in Node: the golden vectors, real PNG files, and what somebody tampered with."""

import io
import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from PIL import Image, PngImagePlugin

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol import eip712
from cuckoo.protocol.messages import ReceiptView, encode_json
from cuckoo.protocol.png import with_receipt
from cuckoo.protocol.receipts import Assignment, Receipt, pixel_hash
from cuckoo.protocol.signing import Signer
from tests.support.coordinating import COORDINATOR_KEY, DOMAIN, HASHER, PROFILE

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((ROOT / "contracts" / "test" / "golden" / "vectors.json").read_text("utf-8"))
STRUCTS = {"taskParameters": "TaskParameters", "assignment": "Assignment", "receipt": "Receipt"}
MINER_KEY = Signer(b"\x33" * 32)
TASK = TaskId("00112233445566778899aabbccddeeff")


def ask(*calls):
    """Call functions of receipt.js, in order; returns their answers."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "node", ROOT / "tests" / "js" / "receipt.mjs"],
        input=json.dumps(calls, default=lambda raw: {"hex": raw.hex()}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def as_json(fields):
    """Write the fields of a vector as the API does: names_like_this, hex without 0x."""
    if isinstance(fields, dict):
        return {
            "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name): as_json(value)
            for name, value in fields.items()
        }
    if isinstance(fields, list):
        return [as_json(value) for value in fields]
    return fields.removeprefix("0x") if isinstance(fields, str) else fields


def test_type_strings__are_those_of_the_protocol():
    names = ("TaskParameters", "Assignment", "RuntimeProfile", "Receipt")
    answers = ask(*(("typeString", name) for name in names))
    assert answers == [eip712.TASK_PARAMETERS, eip712.ASSIGNMENT, eip712.RUNTIME_PROFILE, eip712.RECEIPT]


@pytest.mark.parametrize("name", STRUCTS)
def test_vector__in_javascript__same_hash_digest_and_signer(name):
    vector = GOLDEN[name]
    struct_hash, digest, signer = ask(
        ("structHash", STRUCTS[name], as_json(vector["fields"])),
        ("digestOf", GOLDEN["chainId"], GOLDEN["staking"], bytes.fromhex(vector["structHash"][2:])),
        ("signerOf", bytes.fromhex(vector["digest"][2:]), vector["signature"][2:]),
    )
    assert (struct_hash, digest) == (vector["structHash"][2:], vector["digest"][2:])
    assert signer == GOLDEN["signer"].lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width_px", 2**32),
        ("width_px", -1),
        ("width_px", "many"),
        ("salt", "00"),
        ("salt", "zz" * 32),
        ("reproducible", 2),
    ],
)
def test_struct_hash__value_that_the_type_can_not_hold__is_refused(field, value):
    fields = as_json(GOLDEN["taskParameters"]["fields"]) | {field: value}
    assert "refused" in ask(("structHash", "TaskParameters", fields))[0]


def test_signature__that_no_key_makes__has_no_signer():
    digest, good = bytes.fromhex(GOLDEN["receipt"]["digest"][2:]), GOLDEN["receipt"]["signature"][2:]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = good[:64] + f"{order - int(good[64:128], 16):064x}" + ("1b" if good[128:] == "1c" else "1c")
    bad = [good[:-2] + "1d", good[:-2] + "00", high, good[:-2], "00" * 64 + "1b", "ff" * 64 + "1b", ""]
    assert ask(*(("signerOf", digest, signature) for signature in bad)) == [""] * len(bad)


def picture(width_px=24, height_px=16, **options):
    """Return (PNG file, pixel hash) of something that makes the encoder use several filters."""
    rows = bytes(
        (x * x + 7 * y * c + (x * y) % 5) % 256 for y in range(height_px) for x in range(width_px) for c in range(3)
    )
    image, file = Image.frombytes("RGB", (width_px, height_px), rows), io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue(), pixel_hash(height_px, width_px, rows)


def test_pixel_hash__files_of_any_making__is_that_of_python():
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "none")
    made = [picture(), picture(1, 1), picture(200, 3), picture(compress_level=0), picture(pnginfo=text, dpi=(72, 72))]
    assert ask(*(("pixelHash", file) for file, _ in made)) == [expected.hex() for _, expected in made]


def chunk_of(file, kind):
    with Image.open(io.BytesIO(file)) as image:
        made = io.BytesIO()
        image.convert(kind).save(made, "PNG")
    return made.getvalue()


def test_pixel_hash__what_may_look_otherwise_than_it_hashes__is_refused():
    file, _ = picture()
    profiled, _ = picture(icc_profile=b"profile")
    cut = file[: len(file) // 2]
    wrong = [b"", b"GIF89a", profiled, cut, *(chunk_of(file, kind) for kind in ("L", "P", "RGBA"))]
    for answer in ask(*(("pixelHash", one) for one in wrong)):
        assert "refused" in answer


# A whole result, as the API shows it.


def result(**changes):
    """Return the arguments of ``check``; ``changes`` replace fields of the assignment before it is signed."""
    file, pixels = picture()
    parameters = TaskParameters(
        salt=b"\x01" * 32, mode="text-to-image", model_digest="ab" * 32, prompt='사과 "an apple" 🍎', negative_prompt="",
        width_px=24, height_px=16, pictures=1, steps=4, scheduler="DDIMScheduler", guidance_thousandths=5_000,
        seed=2**53 + 1, reproducible=True,
    )  # fmt: skip
    fields = {
        "coordinator_node": NodeId(1), "miner_node": NodeId(2), "task_id": TASK, "attempt": 1, "sequence": 9,
        "parameters": parameters, "price": Wei(10**19), "deadline": 4_000_000_000, "seed_tip": b"\x04" * 32,
        "draw_index": 3, "draw_head": b"\x05" * 32, "draw_block": 7,
    }  # fmt: skip
    assignment = Assignment(**fields | changes)
    receipt = Receipt(
        assignment_hash=assignment.struct_hash(),
        picture_hashes=(pixels,),
        latents_root=b"\x06" * 32,
        profile=PROFILE,
        finished_at=1_700_000_000,
    )
    view = ReceiptView(
        assignment=assignment,
        assignment_signature=COORDINATOR_KEY.sign(HASHER.digest(assignment.struct_hash())),
        receipt=receipt,
        receipt_signature=MINER_KEY.sign(HASHER.digest(receipt.struct_hash())),
        chain_id=DOMAIN.chain_id,
        staking=DOMAIN.staking,
    )
    return {
        "task": TASK,
        "files": [with_receipt(file, view)],
        "receipt": json.loads(encode_json(view)),
        "asked": {"prompt": parameters.prompt, "steps": 4},
        "miner": {"node_id": 2, "operator": MINER_KEY.address},
        "network": {
            "chain_id": DOMAIN.chain_id, "staking": DOMAIN.staking, "coordinator_node": 1,
            "operator": COORDINATOR_KEY.address,
        },
    }  # fmt: skip


def faults(given):
    """Return the names of the steps that failed."""
    (steps,) = ask(("check", given))
    assert [step["name"] for step in steps] == ["pixels", "receipt", "assignment", "parameters"]
    return {step["name"]: step for step in steps if not step["ok"]}


def test_check__honest_result__every_step_holds():
    assert faults(result()) == {}


def test_check__another_picture__is_told():
    given = result()
    given["files"] = [picture(compress_level=0)[0], picture()[0]]
    assert set(faults(given)) == {"pixels"}
    given["files"] = [picture(23)[0]]
    assert faults(given)["pixels"]["number"] == 1
    given["files"] = []
    assert set(faults(given)) == {"pixels"}


def test_check__another_number_of_pictures_than_signed_or_assigned__is_told():
    given = result()
    given["receipt"]["receipt"]["picture_hashes"] *= 2
    assert "pixels" in faults(given)
    given = result()
    given["receipt"]["assignment"]["parameters"]["pictures"] = 2
    assert "pixels" in faults(given)


def test_check__prompt_changed_after_signing__breaks_receipt_and_assignment():
    given = result()
    given["receipt"]["assignment"]["parameters"]["prompt"] = "a pear"
    found = faults(given)
    assert set(found) == {"receipt", "assignment", "parameters"}
    assert found["receipt"]["fault"] == "assignment"
    assert (found["parameters"]["field"], found["parameters"]["signed"]) == ("prompt", "a pear")


def test_check__coordinator_signed_other_parameters_than_asked__is_told():
    given = result()
    given["asked"] |= {"steps": 30}
    assert faults(given) == {
        "parameters": {"name": "parameters", "ok": False, "field": "steps", "signed": "4", "wanted": "30"}
    }


def test_check__receipt_signed_by_somebody_else__names_both():
    given = result()
    given["miner"]["operator"] = Signer(b"\x44" * 32).address
    found = faults(given)
    assert set(found) == {"receipt"}
    assert found["receipt"]["fault"] == "signer"
    assert found["receipt"]["signer"] == MINER_KEY.address.lower()


@pytest.mark.parametrize("miner", [None, {"node_id": 3, "operator": MINER_KEY.address}])
def test_check__miner_that_is_unknown__is_told(miner):
    assert set(faults(result() | {"miner": miner})) == {"receipt"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("coordinator_node", 9), ("chain_id", 1), ("staking", "0x" + "11" * 20), ("operator", MINER_KEY.address)],
)
def test_check__another_network_or_coordinator__its_signature_does_not_hold(field, value):
    given = result()
    given["network"][field] = value
    assert "assignment" in faults(given)


def test_check__receipt_of_another_task__is_told():
    assert set(faults(result() | {"task": "ff" * 16})) == {"receipt"}


def test_check__every_signed_field_once_changed__is_seen():
    given = result()
    for field in msgspec.structs.fields(Assignment):
        if field.name not in ("parameters", "task_id"):
            changed = json.loads(json.dumps(given["receipt"]))
            old = changed["assignment"][field.name]
            changed["assignment"][field.name] = "00" * 32 if isinstance(old, str) and len(old) == 64 else 77
            assert {"receipt", "assignment"} <= set(faults({**given, "receipt": changed})), field.name


def test_check__fields_that_are_none__are_told_and_nothing_breaks():
    given = result()
    given["receipt"]["assignment"]["deadline"] = "soon"
    given["receipt"]["receipt_signature"] = "none"
    assert set(faults(given)) == {"receipt", "assignment"}

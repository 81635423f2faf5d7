"""``cuckoo verify``: which words it takes, and what it says without a chain."""

import json

from msgspec.structs import replace

from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.png import with_receipt
from tests.support.coordinating import png
from tests.support.receipts import PICTURE, receipt_view


def test_picture__right_wrong_and_without_a_receipt__exit_codes_for_scripts(cuckoo, tmp_path):
    picture = tmp_path / "apple.png"
    picture.write_bytes(with_receipt(PICTURE, receipt_view()))
    right = cuckoo("verify", picture, "--offline", "--json")
    assert right.exit_code == 0
    states = {check["name"]: check["state"] for check in json.loads(right.stdout)["checks"]}
    assert states == {"pixels": "right", "assignment": "right", "receipt": "unchecked", "draw": "unchecked"}
    assert cuckoo("verify", "--offline", picture).stdout == cuckoo("verify", "picture", picture, "--offline").stdout

    receipt = tmp_path / "apple.json"
    receipt.write_bytes(encode_json(receipt_view()))
    picture.write_bytes(png(colour=(0, 0, 0))[0])
    assert "must hold a receipt" in cuckoo("verify", picture, "--offline").stderr
    wrong = cuckoo("verify", picture, "--receipt", receipt, "--offline")
    assert wrong.exit_code == 1
    assert "✗ pixels" in wrong.stdout
    assert "not what its receipt says" in wrong.stderr


def test_heads__one_story_two_stories_and_other_draws__told_apart(cuckoo, tmp_path):
    view = receipt_view()
    files = {"one": view}
    files["two"] = replace(view, assignment=replace(view.assignment, draw_head=b"\x05" * 32))
    files["other"] = replace(view, assignment=replace(view.assignment, draw_index=10, draw_head=b"\x06" * 32))
    for name, content in files.items():
        (tmp_path / name).write_bytes(encode_json(content))
    same = cuckoo("verify", "heads", tmp_path / "one", tmp_path / "one")
    assert (same.exit_code, "the same story" in same.stdout) == (0, True)
    other = cuckoo("verify", "heads", tmp_path / "one", tmp_path / "other")
    assert (other.exit_code, "two different draws" in other.stdout) == (0, True)
    lie = cuckoo("verify", "heads", tmp_path / "one", tmp_path / "two")
    assert (lie.exit_code, "signed two heads for draw 9" in lie.stdout) == (1, True)

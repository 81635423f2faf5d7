"""docs/protocol.md says what the code does."""

import re
from pathlib import Path

import pytest

from cuckoo.protocol import eip712
from cuckoo.scheduler.eligibility import Exclusion

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
NAMES = (
    "OPERATOR_CONSENT",
    "SIGN_IN",
    "TASK_PARAMETERS",
    "ASSIGNMENT",
    "RUNTIME_PROFILE",
    "RECEIPT",
    "EVIDENCE_REQUEST",
    "VOUCHER",
)


@pytest.mark.parametrize("name", NAMES)
def test_document__type_string__is_the_code_s(name):
    assert f"\n{getattr(eip712, name)}\n" in DOCUMENT


def test_document__type_strings__are_all_there_and_no_others():
    ours = {value for value in vars(eip712).values() if isinstance(value, str) and re.match(r"[A-Z]\w+\(\w+ ", value)}
    said = set(re.findall(r"^[A-Z]\w+\(\w+ .*\)$", DOCUMENT, re.MULTILINE))
    assert said == ours - {eip712._DOMAIN_TYPE}
    assert f"`{eip712._DOMAIN_TYPE}`" in DOCUMENT


def test_document__reasons_of_the_draw_log__have_the_code_s_numbers():
    listed = re.search(r"^Reasons: ((?:.|\n)*?)\.$", DOCUMENT, re.MULTILINE)
    said = re.findall(r"(\d+) ([a-z ]+)", listed[1].replace("\n", " "))
    assert [(int(number), text.strip().upper().replace(" ", "_")) for number, text in said] == [
        (reason.value, reason.name) for reason in Exclusion
    ]

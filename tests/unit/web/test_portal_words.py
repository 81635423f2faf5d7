"""The portal's words: both languages say everything that its pages ask for."""

import re
from importlib import resources

from cuckoo.chain.events import IncomeEvents
from cuckoo.services.staking.shelf import UNTOLD

PAGES = resources.files("cuckoo.web") / "portal_pages"
RISKS = resources.files("cuckoo.services.staking") / "risks.py"


def words(language):
    text = (PAGES / "words.js").read_text(encoding="utf-8")
    (part,) = re.findall(rf"^  {language}: \{{$(.*?)^  \}},$", text, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r'(\w+): "((?:[^"\\]|\\.)*)"', part))


def test_words__both_languages__the_same_names_and_places():
    english, korean = words("en"), words("ko")
    assert set(english) == set(korean)
    for name, text in english.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", korean[name])), name


def test_words__asked_for_by_pages_risks_and_events__are_there():
    known = words("en")
    for page in PAGES.iterdir():
        if page.name.endswith((".js", ".html")):
            text = page.read_text(encoding="utf-8")
            asked = re.findall(r'say\("(\w+)"', text) + re.findall(r'data-i18n(?:-label)?="(\w+)"', text)
            assert set(asked) <= set(known), page.name
    kinds = re.findall(r'kind="(\w+)"', RISKS.read_text(encoding="utf-8"))
    assert kinds
    assert {f"risk_{kind}" for kind in kinds} <= set(known)
    assert {f"did_{kind}" for kind in IncomeEvents.OF_NODES if kind not in UNTOLD} <= set(known)

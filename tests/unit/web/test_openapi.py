"""The description of the API is valid, its examples are bodies that the API takes, and the page shows all of it."""

import base64
import hashlib
import html
import json
import re

import msgspec
import pytest

from cuckoo.protocol.messages import decode_json
from cuckoo.protocol.routes import ROUTES
from cuckoo.web.openapi import openapi_document
from cuckoo.web.reference import Reference

DOCUMENT = json.loads(openapi_document())
SCHEMAS = DOCUMENT["components"]["schemas"]


def contents(route):
    """Return what a route takes and gives, by content type."""
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from body.get("content", {}).items()


def test_description__by_the_rules_of_openapi__is_valid():
    pytest.importorskip("openapi_spec_validator").validate(DOCUMENT)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_description__bodies_of_a_route__have_examples(route):
    for kind, content in contents(route):
        assert "example" in content or not (kind.startswith("application/") and "$ref" in content["schema"])
        assert (kind != "text/event-stream") or content["example"].startswith("event: ")


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.request or route.reply], ids=lambda route: route.name
)
def test_description__examples_of_a_route__can_be_read(route):
    kinds = {kind.__name__: kind for kind in (route.request, route.reply) if kind is not None}
    read = 0
    for _, content in contents(route):
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if name in kinds:
            decode_json(msgspec.json.encode(content["example"]), kinds[name])
            read += 1
    assert read >= len(kinds)


def test_description__fields__say_what_their_struct_says_about_them():
    fields = SCHEMAS["TaskEvent"]["properties"]
    assert fields["position"]["description"] == "how many tasks wait before it, when it waits."
    assert fields["step"]["description"] == fields["steps"]["description"]
    assert "Attributes" not in json.dumps(SCHEMAS)


def test_page__of_the_description__shows_every_route_and_body_and_links_only_inside():
    reference = Reference(openapi_document())
    for route in ROUTES:
        assert f"<h3>{route.method} {html.escape(route.path)}</h3>" in reference.page
    for name in SCHEMAS:
        assert f'id="schema-{name}"' in reference.page
    anchors = set(re.findall(r'id="([^"]+)"', reference.page))
    links = set(re.findall(r'(?:href|src)="([^"]+)"', reference.page))
    assert {link for link in links if link != "/openapi.json" and link.removeprefix("#") not in anchors} == set()


def test_page__under_its_policy__may_use_its_own_style_and_nothing_else():
    reference = Reference(openapi_document())
    (style,) = re.findall(r"<style>(.*?)</style>", reference.page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = reference.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "<script" not in reference.page


def test_page__text_with_markup__is_shown_and_not_run():
    spoiled = DOCUMENT | {"info": DOCUMENT["info"] | {"title": "<script>alert(1)</script>"}}
    assert "<script" not in Reference(json.dumps(spoiled).encode()).page

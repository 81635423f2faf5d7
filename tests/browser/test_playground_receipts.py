"""What the playground says of receipts: honest ones, and what somebody in the middle changed; and of audits."""

import json
import re

import pytest

from tests.support.browsing import accessible, checked, opened, story, tampered, wrongs
from tests.support.painter import painting, studio

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_receipt__honest__is_checked_step_by_step(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        assert await checked(page) == [
            "✓ Holds: These pixels are the ones that were signed.",
            "✓ Holds: The receipt is signed by 0x2B5AD5\u2060…\u2060cCD6cF, the key of miner 2.",
            "✓ Holds: The assignment to this miner is signed by 0x156391\u2060…\u2060115508, the key of this coordinator.",
            "✓ Holds: Prompt, model and settings are the ones you asked for.",
        ]
        assert await page.inner_text("#verdict") == "Everything holds."
        await accessible(page)


async def test_receipt__another_picture_came__is_told(browser, tmp_path):
    other, _ = painting(64, 64, 5)
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/pictures/0.png", lambda _: other):
            await checked(page)
        assert await wrongs(page) == ["Picture 1 is not the one that was signed."]
        await accessible(page)


async def test_receipt__prompt_changed_after_signing__is_told(browser, tmp_path):
    def change(body):
        view = json.loads(body)
        view["assignment"]["parameters"]["prompt"] = "an ad for pears"
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/receipt", change):
            await checked(page)
        receipt, assignment, parameters = await wrongs(page)
        assert receipt == "The receipt is for another assignment than this."
        assert assignment.startswith("The assignment is signed by 0x")
        assert parameters == "As prompt, “an ad for pears” was signed; asked for was “a pear”."


async def test_receipt__other_prompt_given_to_the_miner_than_asked__is_told(browser, tmp_path):
    def change(body):
        return json.dumps(json.loads(body) | {"prompt": "an ad for pears"})

    async def ask(route):
        await route.continue_(post_data=change(route.request.post_data))

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.route("**/v1/tasks", ask)
        await checked(page)
        assert await wrongs(page) == ["As prompt, “an ad for pears” was signed; asked for was “a pear”."]


async def test_receipt__signed_by_another_key_than_the_miners__is_told(browser, tmp_path):
    def change(body):
        view = json.loads(body)
        for miner in view["miners"]:
            miner["operator"] = "0x" + "11" * 20
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/v1/miners?*", change):
            await checked(page)
        assert await wrongs(page) == [
            "The receipt is signed by 0x2b5ad5\u2060…\u2060ccd6cf, not by 0x111111\u2060…\u2060111111, the key of miner 2."
        ]


async def test_audit__over_while_the_page_is_open__appears_in_the_story(browser, tmp_path):
    done = []

    def change(body):
        view = json.loads(body)
        if view["status"] == "done":
            done.append(view)
            view["audit"] = {"state": "passed", "detail": "", "closed_at": 1.0} if len(done) > 1 else None
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, re.compile(r"/v1/tasks/\w+$"), change):
            await checked(page)
            await page.get_by_text("Audited: checked again, and found right.").wait_for()
        assert len(await story(page)) == 5

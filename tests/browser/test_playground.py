"""The playground in a real Chromium: asked from the keyboard, watched, told, and kept; in both languages, themes, sizes."""

import asyncio

import pytest

from cuckoo.protocol.messages import Failure
from cuckoo.storage.keys import Limits, open_keys
from tests.support.browsing import DONE, accessible, checked, checks, opened, story
from tests.support.coordinating import ScriptedMiner, running
from tests.support.painter import studio

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_generate__from_the_keyboard__picture_story_and_gallery(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # skips to the prompt
        await page.keyboard.type("a red apple")
        await page.keyboard.press("Control+Enter")
        await page.wait_for_selector(DONE)
        told = await story(page)
        assert told[0] == "Asked."
        assert told[1] == "Drawn: miner 2, among 1 with odds of 100.0 %."
        assert told[-2] == "Miner 2 drew it on cpu, float32, AVX2."
        assert told[-1].startswith("Not audited.")
        assert await page.get_attribute("#stage img", "alt") == "Picture: a red apple"
        assert await page.locator("#gallery li").count() == 1
        async with page.expect_download() as download:
            await page.click("#saves a")
        assert (await download.value).suggested_filename == "picture.png"
        await accessible(page)


async def test_permalink__opened_anew__shows_the_same_task(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector(DONE)
        link = page.url
        async with opened(browser, coordinator.origin) as other:
            await other.goto(link)
            await other.reload()
            await other.wait_for_selector(DONE)
            assert await other.input_value("#prompt") == "a pear"
            assert len(await story(other)) == 5
            await other.wait_for_selector("#verdict.good")
            said = (await checks(other))[-1]
            assert said.startswith("✓ Holds: Signed were “a pear”, 64 \u00d7 64, 4 steps, seed ")


async def test_progress__while_it_is_drawn__previews_steps_and_a_way_back(browser, tmp_path):
    gate = asyncio.Event()
    async with studio(tmp_path, gate=gate) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector("#stage img.preview")
        await page.get_by_text("Step 4 of 4").wait_for()
        await accessible(page)
        await page.click("#cancel")
        await page.get_by_text("Taken back.").wait_for()
        gate.set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize("width", [320, 1200])
async def test_look__languages_themes_and_widths__fit_and_are_accessible(browser, tmp_path, scheme, locale, width):
    async with (
        studio(tmp_path) as coordinator,
        opened(
            browser,
            coordinator.origin,
            color_scheme=scheme,
            locale=locale,
            viewport={"width": width, "height": 800},
        ) as page,
    ):
        await page.wait_for_selector("#tiles dd")
        assert await page.locator("#tiles dd").count() == 6
        assert await page.evaluate("document.documentElement.lang") == locale
        assert await page.inner_text("#draw") == {"en": "Draw", "ko": "그리기"}[locale]
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await accessible(page)


async def test_choices__language_and_theme__stay_after_a_reload(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.select_option("#language", "ko")
        await page.select_option("#theme", "dark")
        await page.reload()
        assert await page.inner_text("#draw") == "그리기"
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"


async def test_words__both_languages__say_the_same_things(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        names = await page.evaluate(
            """import('/pages/words.js').then(({WORDS}) => Object.values(WORDS).map((one) =>
            Object.entries(one).map(([name, text]) => name + (text.match(/{\\w+}/g) ?? []).sort()).sort()))"""
        )
        assert names[0] == names[1]


async def test_refused__value_beyond_a_limit__is_said_beside_the_form(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.click("summary >> nth=0")
        await page.fill("#prompt", "a pear")
        await page.fill("#width", "2048")
        await page.click("#draw")
        await page.wait_for_selector("#error:not([hidden])")
        assert (await page.inner_text("#error")) == "Width and height: tiny is offered up to 16,384 pixels a picture"
        assert await page.evaluate("document.activeElement.id") == "width"
        assert await page.get_attribute("#width", "aria-invalid") == "true"
        await accessible(page)
        page.wrong.clear()  # the browser notes the refusal


async def test_refused__by_the_browser_in_what_is_folded_away__is_opened(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.click("#more summary")
        await page.fill("#prompt", "a pear")
        await page.fill("#width", "63")
        await page.click("#more summary")
        assert await page.is_hidden("#width")
        await page.click("#draw")
        await page.wait_for_selector("#width")
        assert await page.evaluate("document.activeElement.id") == "width"


async def test_closed__without_a_key__says_so_and_takes_one(browser, tmp_path):
    async with running(tmp_path, open_access=False) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector("#error:not([hidden])")
        assert "API key" in await page.inner_text("#error")
        await page.fill("#key", "wrong")
        await page.click("#draw")
        await page.get_by_text("does not take this API key").wait_for()
        with open_keys(tmp_path) as book:
            secret, _ = book.create("shop", Limits(), 1_000.0)
        await coordinator.keys.refresh()
        await page.fill("#key", secret)
        await page.click("#draw")
        await page.wait_for_selector("#told:not([hidden])")
        async with opened(browser, page.url) as other:  # without a key, the link tells what is missing
            await other.get_by_text("wants an API key").wait_for()
            await accessible(other)
            await other.fill("#key", secret)
            await other.press("#key", "Tab")
            await other.get_by_text("Waits until a miner with this model is here.").wait_for()
            other.wrong.clear()
        page.wrong.clear()


async def test_link__to_a_task_that_is_not_there__is_told_in_its_place(browser, tmp_path):
    async with running(tmp_path) as coordinator, opened(browser, f"{coordinator.origin}/#task={'ab' * 16}") as page:
        await page.locator("#stage [role=alert]").get_by_text("There is no such task here").wait_for()
        await accessible(page)
        page.wrong.clear()


async def test_nobody__with_the_model__is_said_before_and_while_it_waits(browser, tmp_path):
    async with running(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#nobody:not([hidden])")
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.get_by_text("Waits until a miner with this model is here.").wait_for()
        await accessible(page)


async def test_failed__at_every_attempt__says_each_reason_once(browser, tmp_path):
    failure = Failure(kind="memory", reason="too large for my card")
    async with running(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        for node_id in (2, 3, 4):
            miner = ScriptedMiner(coordinator, node_id)
            await miner.sign_in()
            assignment = (await miner.poll()).assignment
            await page.get_by_text(f"Drawn: miner {node_id},").wait_for()
            await miner.client.fail(miner.token, assignment.task_id, assignment.attempt, failure)
            await miner.client.sign_out(miner.token)
            await miner.client.close()
        await page.get_by_text("It could not be drawn. Attempts: 3.").wait_for()
        told = await story(page)
        assert len([line for line in told if "too large for my card" in line]) == 3
        assert await page.inner_text("#stage") == "There is no picture."
        assert await page.is_hidden("#cancel")
        await accessible(page)
        link = page.url
        async with opened(browser, link) as late:
            await late.get_by_text("It could not be drawn. Attempts: 3.").wait_for()
            assert len([line for line in await story(late) if "too large for my card" in line]) == 3


async def test_language__changed_while_a_story_is_shown__is_told_anew(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await checked(page)
        await page.select_option("#language", "ko")
        assert await page.inner_text("#verdict") == "모두 맞습니다."
        assert (await story(page))[0] == "요청했습니다."
        assert await page.inner_text("#saves") == "영수증이 든 PNG 저장"


async def test_coordinator__gone__is_said_where_the_numbers_are(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await page.route("**/v1/*", lambda route: route.abort())
        await page.wait_for_selector("#away:not([hidden])")
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.get_by_text("Is it running?").wait_for()
        await page.unroute("**/v1/*")
        await page.wait_for_selector("#away", state="hidden")
        page.wrong.clear()


async def test_hostile__prompt_and_introduction__are_text(browser, tmp_path):
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        page.on("dialog", lambda dialog: page.wrong.append(dialog.message))
        await page.fill("#prompt", hostile)
        await page.click("#draw")
        await page.wait_for_selector(DONE)
        assert await page.inner_text("#gallery span") == hostile
        assert await page.locator("#gallery script").count() == 0

"""Pictures that the playground starts from: dropped, chosen, made before; and the part of them that shall change."""

import json
from base64 import b64encode

import pytest

from tests.support.browsing import accessible, checked, opened, wrongs
from tests.support.painter import painting, studio

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAINTED = "veil.getContext('2d').getImageData(0, 0, 64, 64).data.filter((value, at) => at % 4 == 3 && value).length"
DROP = """async (bytes) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(bytes)], "pear.png", { type: "image/png" }));
  const event = (kind) => new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragover"));
  document.body.dispatchEvent(event("drop"));
}"""


async def task_on(page, coordinator):
    return await coordinator.dispatch.apps.get(page.url.partition("#task=")[2])


async def test_source__dropped__is_cut_to_the_tasks_size_and_is_what_was_signed(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await page.evaluate(DROP, list(painting(90, 60, 1)[0]))
        await page.wait_for_selector("#chosen:not([hidden])")
        assert await page.evaluate("[ground.width, ground.height]") == [64, 64]
        await page.fill("#strength", "0.5")
        await checked(page)
        assert await page.inner_text("#verdict") == "Everything holds."
        made = (await task_on(page, coordinator)).parameters
        assert (made.mode, made.strength_millionths, made.mask_hash) == ("image-to-image", 500_000, bytes(32))
        assert made.source_hash != bytes(32)
        await page.click("#without")
        await checked(page)
        assert (await task_on(page, coordinator)).parameters.mode == "text-to-image"


async def test_source__part_painted_by_keys__becomes_the_mask(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        file = {"name": "pear.png", "mimeType": "image/png", "buffer": painting(64, 64, 1)[0]}
        await page.set_input_files("#file", file)
        await page.get_by_text("Only a part").press("Enter")
        await page.focus("#veil")
        for key in ("ArrowLeft", "Space"):
            await page.keyboard.press(key)
        dab = await page.evaluate(PAINTED)
        assert 50 < dab < 500
        await page.keyboard.press("Shift+ArrowUp")
        assert await page.evaluate(PAINTED) > dab
        await accessible(page)
        await checked(page)
        assert await page.inner_text("#verdict") == "Everything holds."
        made = (await task_on(page, coordinator)).parameters
        assert made.mode == "inpainting"
        assert made.mask_hash != bytes(32)


async def test_source__pointer__paints_and_the_paint_comes_off(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await checked(page)
        await page.click("#reuse")
        await page.wait_for_selector("#chosen:not([hidden])")
        await page.click("#veil", position={"x": 20, "y": 20}, force=True)
        assert await page.evaluate(PAINTED) == 0, "not before one says so"
        await page.click("#mask")
        await page.click("#veil", position={"x": 20, "y": 20})
        assert 50 < await page.evaluate(PAINTED) < 500
        await page.click("#clear")
        assert await page.evaluate(PAINTED) == 0
        await checked(page)
        assert (await task_on(page, coordinator)).parameters.mode == "image-to-image"


async def test_source__another_one_was_handed_on__is_told(browser, tmp_path):
    other = "data:image/png;base64," + b64encode(painting(64, 64, 5)[0]).decode()

    async def ask(route):
        await route.continue_(post_data=json.dumps(json.loads(route.request.post_data) | {"source": other}))

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        file = {"name": "pear.png", "mimeType": "image/png", "buffer": painting(64, 64, 1)[0]}
        await page.set_input_files("#file", file)
        await page.wait_for_selector("#chosen:not([hidden])")
        await page.route("**/v1/tasks", ask)
        await checked(page)
        (wrong,) = await wrongs(page)
        assert wrong.startswith("As source_hash, “")


async def test_source__file_that_is_no_picture__is_refused_beside_the_form(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
        await page.wait_for_selector("#error:not([hidden])")
        assert "can not read that" in await page.inner_text("#error")
        assert await page.is_hidden("#chosen")

import pytest
from PIL import Image

from cuckoo.demo.sheet import CAPTION_PX, MARGIN_PX, TILE_PX, Tile, contact_sheet

COLOURS = [(200, 0, 0), (0, 160, 0), (0, 0, 220)]


@pytest.fixture
def tiles(tmp_path):
    made = []
    for number, colour in enumerate(COLOURS):
        file = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), colour).save(file)
        made.append(Tile(file, "a prompt that is much too long for its tile, by far", "wren"))
    return made


def test_contact_sheet__three_pictures_in_two_columns__each_in_its_place(tiles, tmp_path):
    sheet = Image.open(contact_sheet(tiles, tmp_path / "new" / "sheet.png", columns=2))
    step_x, step_y = TILE_PX + MARGIN_PX, TILE_PX + CAPTION_PX + MARGIN_PX
    assert sheet.size == (MARGIN_PX + 2 * step_x, MARGIN_PX + 2 * step_y)
    for index, colour in enumerate(COLOURS):
        row, column = divmod(index, 2)
        middle = (MARGIN_PX + column * step_x + TILE_PX // 2, MARGIN_PX + row * step_y + TILE_PX // 2)
        assert sheet.getpixel(middle) == colour


def test_contact_sheet__long_prompt__stays_within_its_tile(tiles, tmp_path):
    sheet = Image.open(contact_sheet(tiles[:1], tmp_path / "sheet.png"))
    caption = sheet.crop((0, MARGIN_PX + TILE_PX, sheet.width, sheet.height)).convert("L").point(lambda v: v < 200)
    left, _, right, _ = caption.getbbox()
    assert left >= MARGIN_PX
    assert right <= MARGIN_PX + TILE_PX


def test_contact_sheet__fewer_pictures_than_columns__is_as_narrow_as_they_are(tiles, tmp_path):
    assert Image.open(contact_sheet(tiles, tmp_path / "sheet.png", columns=8)).width == MARGIN_PX + 3 * (
        TILE_PX + MARGIN_PX
    )

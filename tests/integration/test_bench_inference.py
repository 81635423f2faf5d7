"""The row of GPU models, with tiny ones on the CPU: it runs, and its pictures are those of plain diffusers."""

import pytest

from tests.bench.figures import Options
from tests.bench.inference import compare, figures, same, sized_cases


@pytest.mark.parametrize("bucket", [1, 2])
async def test_row__tiny_sdxl_in_four_steps__pixels_of_plain_diffusers(tmp_path, bucket):
    *_, case = sized_cases(tmp_path / "models", ("tiny-sd", "tiny-sdxl"), "cpu", "float32")
    options = Options(directory=tmp_path, seconds=1.0, rounds=1, miners=(), sync_miners=0)
    rounds = await compare(case, options, bucket)
    assert rounds["network"][0] > 0
    assert (rounds["compared"] > 0) == (bucket == 1)
    ratio, *_ = figures(case, rounds, bucket)
    assert (ratio.unit, ratio.bar) == ("x", 3.0)


def test_same__a_picture_differs__is_said():
    assert same({7: "aa", 8: "bb"}, {"7": "aa"}) == 1
    with pytest.raises(RuntimeError, match=r"seeds \[7\]"):
        same({7: "aa"}, {"7": "ab"})
    with pytest.raises(RuntimeError, match="of 0"):
        same({7: "aa"}, {"8": "aa"})

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cuckoo.inference.train import variants
from cuckoo.inference.train.emoji import Emoji


def disc(colour: str) -> Image.Image:
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 40, 56), fill=colour)
    return picture


APPLE = Emoji("red apple", ("apple",), ("teacher", "fruit"), disc("red"))
PANDA = Emoji("panda", (), (), disc("black"))


@pytest.mark.parametrize(("colour", "hue"), [("red", 5), ("#00ff00", 125), ("blue", 245)])
def test_dominant_hue__disc_of_one_colour__is_its_hue(colour, hue):
    assert variants.dominant_hue(disc(colour)) == pytest.approx(hue, abs=10)


def test_dominant_hue__black_and_white__is_none():
    assert variants.dominant_hue(PANDA.picture) is None


def test_variants__coloured__are_eight_with_weights_that_sum_to_one():
    made = variants.variants(APPLE, random.Random(1))
    assert len(made) == 8
    assert sum(one.weight for one in made) == pytest.approx(1)
    turned = [one for one in made if one.recoloured]
    assert len({one.colour for one in turned}) == 3
    assert "red" not in {one.colour for one in turned}
    for one in turned:
        assert variants._name(variants.dominant_hue(one.picture)) == one.colour


def test_variants__without_colour__are_not_recoloured():
    made = variants.variants(PANDA, random.Random(1))
    assert len(made) == 5
    assert not any(one.recoloured or one.colour for one in made)


def test_variants__all__keep_their_size_on_white():
    for one in variants.variants(APPLE, random.Random(2)):
        assert (one.picture.mode, one.picture.size) == ("RGB", (64, 64))
        assert np.asarray(one.picture)[0].min() >= 250


def test_caption__recoloured__names_its_colour_and_not_the_old_one():
    rng = random.Random(3)
    blue = variants.Variant(APPLE, APPLE.picture, "blue", recoloured=True, weight=1)
    words = {variants.caption(blue, rng) for _ in range(200)}
    assert "blue apple" in words
    assert not any("red" in word for word in words)


def test_caption__many__name_it_in_every_way_and_leave_a_tenth_empty():
    rng = random.Random(4)
    plain = variants.Variant(APPLE, APPLE.picture, "red", recoloured=False, weight=1)
    words = [variants.caption(plain, rng) for _ in range(2000)]
    assert 120 < words.count("") < 280
    assert {"red apple", "apple", "teacher", "a picture of a red apple"} <= set(words)
    assert any(word.startswith("red apple, ") for word in words)


@pytest.mark.parametrize(("name", "rest"), [("red apple", "apple"), ("panda", "panda"), ("light blue heart", "heart")])
def test_without_colour__name__loses_its_colour_only(name, rest):
    assert variants.without_colour(name) == rest

from pathlib import Path

from cuckoo.inference import models
from cuckoo.inference.train import card


def test_write__two_sittings__are_both_on_the_card_with_their_sum(tmp_path):
    history = [
        card.Sitting(what="From nothing.", autoencoder_steps=4000, psnr_db=28.6, samples=1000, minutes=0.5, loss=0.3),
        card.Sitting(what="On top.", samples=640, steps=10, minutes=66, loss=0.106),
    ]
    card.write(tmp_path, history)
    text = (tmp_path / "README.md").read_text()
    assert "1. From nothing. (autoencoder 4,000 steps, PSNR 28.6 dB; UNet and text encoder 1,000 samples; 30 s" in text
    assert "2. On top. (UNet and text encoder 640 samples in 10 steps; 66 minutes; loss 0.106 at the end.)" in text
    assert "1,640 samples in all" in text
    assert "{" not in text
    assert card.read_history(tmp_path) == history


def test_bundled_card__history_and_licences__are_what_the_code_writes(tmp_path):
    bundled = Path(models.load_registry()["emoji-64"].source)
    drafts = tmp_path / "emoji-64"
    drafts.mkdir()
    card.write(drafts, card.read_history(bundled))
    for draft in drafts.iterdir():
        assert draft.read_bytes() == (bundled / draft.name).read_bytes()

"""Text encoders that remember: computed once, and never mistaken for another text."""

import pytest
import torch

from cuckoo.inference.embeddings import REMEMBERED, remember


class Encoder(torch.nn.Module):
    """Counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, tokens, attention_mask=None, *, scale=1.0):
        self.asked.append(tokens)
        return tokens * scale


@pytest.fixture
def encoder():
    return Encoder()


def text(*tokens):
    return torch.tensor([tokens])


def test_remember__same_tokens_again__answered_from_memory(encoder):
    remember({"text_encoder": encoder, "vae": torch.nn.Identity(), "text_encoder_2": None})
    assert encoder(text(1, 2)) is encoder(text(1, 2))
    assert len(encoder.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((text(1, 3),), {}),
        ((text(1, 2).to(torch.int32),), {}),
        ((torch.tensor([1, 2]),), {}),
        ((text(1, 2), text(1, 1)), {}),
        ((text(1, 2),), {"scale": 2.0}),
    ],
)
def test_remember__something_else__computed(encoder, arguments, named):
    remember({"text_encoder": encoder})
    encoder(text(1, 2))
    encoder(*arguments, **named)
    assert len(encoder.asked) == 2


def test_remember__argument_that_can_not_be_compared__computed_every_time(encoder):
    remember({"text_encoder": encoder})
    for _ in range(2):
        encoder(text(1), attention_mask=object())
    assert len(encoder.asked) == 2


def test_remember__many_texts__the_oldest_is_forgotten(encoder):
    (memory,) = remember({"text_encoder": encoder})
    for token in range(REMEMBERED + 1):
        encoder(text(token))
    encoder(text(REMEMBERED))
    assert len(encoder.asked) == REMEMBERED + 1
    encoder(text(0))
    assert len(encoder.asked) == REMEMBERED + 2
    memory.forget()
    encoder(text(REMEMBERED))
    assert len(encoder.asked) == REMEMBERED + 3

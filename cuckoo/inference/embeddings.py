"""Text encoders that remember what they said: the same tokens get the same tensors, computed once."""

import threading
from collections import OrderedDict
from typing import Any

import torch

REMEMBERED = 16
"""Answers kept for each text encoder. The largest ones in use (SDXL's second, T5-XXL) take 4 to 7 MB each."""


class Remembering:
    """Stands before a text encoder's ``forward``.

    An answer is given again only for tensors of equal shape, kind and content and equal other arguments, so that it is
    exactly what the encoder would compute: most tasks have the same (empty) negative prompt, and the pictures of one
    task the same prompt. Pipelines build new tensors from the answers and change none of them.
    """

    def __init__(self, encoder: torch.nn.Module) -> None:
        """Take the place of the encoder's ``forward``."""
        self._forward = encoder.forward
        self._answers: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        encoder.forward = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer from memory, or let the encoder compute."""
        try:
            key = _key((args, sorted(kwargs.items())))
        except TypeError:
            return self._forward(*args, **kwargs)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        answer = self._forward(*args, **kwargs)
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def forget(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._answers.clear()


def remember(components: dict[str, Any]) -> list[Remembering]:
    """Let every text encoder among a pipeline's components remember."""
    return [
        Remembering(component)
        for name, component in components.items()
        if name.startswith("text_encoder") and isinstance(component, torch.nn.Module)
    ]


def _key(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (str(value.dtype), str(value.device), tuple(value.shape), value.cpu().numpy().tobytes())
    if isinstance(value, (list, tuple)):
        return tuple(_key(part) for part in value)
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype, torch.device)):
        return (type(value), value)
    raise TypeError(f"an argument of kind {type(value).__name__} can not be compared")

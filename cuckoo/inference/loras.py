"""LoRAs laid over a model for one run. Runs in the child only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.lora import Lora
from cuckoo.inference.embeddings import Remembering
from cuckoo.inference.models import DigestCache, Model, sha256_of


class Loras:
    """The LoRAs of one model. Whoever applies some has the model to itself."""

    def __init__(self, model: Model, pipe: Any, encoders: Sequence[Remembering], cache: DigestCache | None) -> None:
        """Check every file against its digest.

        Args:
            model: the registry's entry.
            pipe: diffusers' pipeline; its kin share the weights.
            encoders: remember answers that a LoRA changes.
            cache: remembers sums of unchanged files.

        Raises:
            ConfigError: a file is missing or another, or this kind of model takes no LoRA.
        """
        self._pipe = pipe
        self._encoders = encoders
        self._files: dict[str, Path] = {}
        if model.loras and not hasattr(pipe, "load_lora_weights"):
            raise ConfigError(f"loading the model {model.name}: {type(pipe).__name__} takes no LoRA")
        for name, lora in model.loras.items():
            file = Path(lora.source)
            if file.suffix != ".safetensors" or not file.is_file():
                raise ConfigError(f"loading the LoRA {name} of {model.name}: {file} is no safetensors file")
            found = sha256_of(file, cache)
            if found != lora.digest:
                raise ConfigError(
                    f"loading the LoRA {name} of {model.name}: the sha256 of {file} is {found}, the registry says "
                    f"{lora.digest}; restore the file, or correct models.toml"
                )
            self._files[lora.digest] = file

    @contextmanager
    def applied(self, wanted: Sequence[Lora]) -> Iterator[None]:
        """Change the weights while a run lasts, and bring them back to the bit.

        Raises:
            InvalidField: a LoRA is not here, or does not fit the model.
        """
        if not wanted:
            yield
            return
        missing = [one.digest for one in wanted if one.digest not in self._files]
        if missing:
            raise InvalidField("loras", missing[0], f"here are {', '.join(self._files) or 'none'}")
        self._forget()
        try:
            self._load(wanted)
            yield
        finally:
            self._pipe.unload_lora_weights()
            self._forget()

    def _load(self, wanted: Sequence[Lora]) -> None:
        names = []
        for number, one in enumerate(wanted):
            file = self._files[one.digest]
            names.append(f"lora{number}")
            try:
                self._pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=names[-1])
            except (ValueError, KeyError, RuntimeError) as error:
                raise InvalidField("loras", one.digest, f"does not fit this model: {error}") from error
        self._pipe.set_adapters(names, [one.weight_thousandths / 1_000 for one in wanted])

    def _forget(self) -> None:
        for encoder in self._encoders:
            encoder.forget()

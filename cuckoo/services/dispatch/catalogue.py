"""Which models tasks may name: those that this installation knows, and those that signed-in miners bring."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import Mode, TaskParameters
from cuckoo.protocol.messages import ModelOffer
from cuckoo.protocol.views import LoraView, ModelView

_NAMES_SHOWN = 8

_Size = tuple[int, int]
"""(pixels, steps) that a miner takes at most."""


class Catalogue:
    """Models by name and digest, with what the miners that are signed in take of each.

    A name belongs to this installation's registry only: a model that miners bring is named by its digest, so that
    nobody can serve other weights under a known name.
    """

    def __init__(self, known: Iterable[ModelInfo], rates: Rates) -> None:
        """Start with the registry's models, the first of them the default, and what a megapixel-step costs."""
        self._rates = rates
        self._by_name = {model.name: model for model in known}
        self._by_digest = {model.digest: model for model in self._by_name.values()}
        self._brought: dict[ModelDigest, _Size] = {}
        self._sizes: dict[ModelDigest, Counter[_Size]] = {}
        self._modes: dict[ModelDigest, set[str]] = {}
        self._loras: dict[ModelDigest, Counter[str]] = {}
        self._of_node: dict[NodeId, tuple[ModelOffer, ...]] = {}

    def sign_in(self, node: NodeId, offers: tuple[ModelOffer, ...]) -> None:
        """Note what a miner serves; it replaces what the miner offered before."""
        self.sign_out(node)
        self._of_node[node] = offers
        for offer in offers:
            size = (offer.max_pixels, offer.max_steps)
            self._sizes.setdefault(offer.digest, Counter())[size] += 1
            self._modes.setdefault(offer.digest, set()).update(offer.modes)
            self._loras.setdefault(offer.digest, Counter()).update(offer.loras)
            if offer.digest not in self._by_digest:
                self._brought[offer.digest] = _larger(self._brought.get(offer.digest, (0, 0)), size)

    def sign_out(self, node: NodeId) -> None:
        """Forget what a miner serves; the models it brought stay known."""
        for offer in self._of_node.pop(node, ()):
            sizes = self._sizes[offer.digest]
            size = (offer.max_pixels, offer.max_steps)
            sizes[size] -= 1
            if not sizes[size]:
                del sizes[size]
            self._loras[offer.digest].subtract(offer.loras)

    def rate_wei(self, digest: ModelDigest) -> Wei:
        """Return what a megapixel-step of a model costs."""
        return self._rates.of(self.name_of(digest))

    def models_of(self, node: NodeId) -> tuple[ModelDigest, ...]:
        """Return the models that a signed-in miner serves."""
        return tuple(offer.digest for offer in self._of_node.get(node, ()))

    def name_of(self, digest: ModelDigest) -> str:
        """Return the name of a model, or its digest where it has none here."""
        model = self._by_digest.get(digest)
        return model.name if model else digest

    def find(self, name: str) -> tuple[ModelDigest, ModelInfo | None]:
        """Find a model by name or digest; "" is the default.

        Returns:
            Its digest, and what is known about it (None for one that only miners know).

        Raises:
            InvalidField: nobody here ever had such a model; says which there are.
        """
        if not name and self._by_name:
            model = next(iter(self._by_name.values()))
            return model.digest, model
        found = self._by_name.get(name) or self._by_digest.get(ModelDigest(name))
        if found:
            return found.digest, found
        if ModelDigest(name) in self._brought:
            return ModelDigest(name), None
        names = [*self._by_name, *self._brought]
        shown = ", ".join(names[:_NAMES_SHOWN]) + (
            f" and {len(names) - _NAMES_SHOWN} more" if names[_NAMES_SHOWN:] else ""
        )
        raise InvalidField("model", name, f"must be one of: {shown or 'none yet, no miner has signed in'}")

    def check_size(self, digest: ModelDigest, width_px: int, height_px: int, steps: int) -> None:
        """Refuse what this model is not offered for, and what no miner that is signed in with it can take.

        Raises:
            InvalidField: names the limit.
        """
        pixels, sides = width_px * height_px, f"{width_px} x {height_px}"
        name = self.name_of(digest)
        model = self._by_digest.get(digest)
        if model and pixels > model.max_pixels:
            raise InvalidField(
                "width_px x height_px", sides, f"{name} is offered up to {model.max_pixels:,} pixels a picture"
            )
        if model and steps > model.max_steps:
            raise InvalidField("steps", steps, f"{name} is offered up to {model.max_steps} steps")
        sizes = self._sizes.get(digest)
        if not sizes or any(pixels <= most and steps <= most_steps for most, most_steps in sizes):
            return
        most = max(size for size, _ in sizes)
        if pixels > most:
            raise InvalidField(
                "width_px x height_px", sides, f"the miners that serve {name} now take up to {most:,} pixels a picture"
            )
        most_steps = max(limit for size, limit in sizes if size >= pixels)
        raise InvalidField(
            "steps", steps, f"the miners that serve {name} at this size now take up to {most_steps} steps"
        )

    def check_kind(self, parameters: TaskParameters) -> None:
        """Refuse a way of making pictures that this model is not offered for, or that no miner with it has ever had.

        Raises:
            InvalidField: names the limit.
        """
        digest = parameters.model_digest
        name, model = self.name_of(digest), self._by_digest.get(digest)
        if model and parameters.scheduler not in ("", model.scheduler, *model.schedulers):
            raise InvalidField(
                "scheduler", parameters.scheduler, f"{name} takes its own (empty) or {', '.join(model.schedulers)}"
            )
        modes = self._modes.get(digest)
        if modes and parameters.mode not in modes:
            field = "mask" if parameters.mode == Mode.INPAINTING else "source"
            raise InvalidField(field, parameters.mode, f"the miners that serve {name} take {', '.join(sorted(modes))}")

    def find_lora(self, digest: ModelDigest, name: str) -> str:
        """Return the digest of a LoRA of a model, by its name or digest.

        Raises:
            InvalidField: nobody here ever had such a one; says which there are.
        """
        known = self._known_loras(digest)
        if name in known:
            return known[name]
        if name in (*known.values(), *self._loras.get(digest, ())):
            return name
        shown = ", ".join(list(known)[:_NAMES_SHOWN]) or "none"
        raise InvalidField("loras", name, f"{self.name_of(digest)} has {shown} by name, others by digest")

    def _known_loras(self, digest: ModelDigest) -> Mapping[str, str]:
        model = self._by_digest.get(digest)
        return model.loras if model else {}

    def _lora_views(self, digest: ModelDigest) -> tuple[LoraView, ...]:
        there = self._loras.get(digest, Counter())
        known = self._known_loras(digest)
        named = [(name, lora) for name, lora in known.items()]
        brought = [(lora, lora) for lora in there if lora not in known.values()]
        return tuple(LoraView(id=name, digest=lora, miners=there[lora]) for name, lora in (*named, *brought))

    def views(self) -> Iterator[ModelView]:
        """Show every model, this installation's first."""
        for model in self._by_name.values():
            yield ModelView(
                id=model.name,
                digest=model.digest,
                title=model.title,
                miners=self.miners_of(model.digest),
                max_pixels=model.max_pixels,
                max_steps=model.max_steps,
                max_pixels_now=self._most_now(model.digest),
                modes=self._ordered(model.digest),
                schedulers=model.schedulers,
                loras=self._lora_views(model.digest),
                width_px=model.width_px,
                height_px=model.height_px,
                steps=model.steps,
                guidance=model.guidance,
                rate_wei=self._rates.of(model.name),
            )
        for digest, (max_pixels, max_steps) in self._brought.items():
            yield ModelView(
                id=digest,
                digest=digest,
                miners=self.miners_of(digest),
                max_pixels=max_pixels,
                max_steps=max_steps,
                max_pixels_now=self._most_now(digest),
                modes=self._ordered(digest),
                loras=self._lora_views(digest),
                rate_wei=self._rates.of(digest),
            )

    def _most_now(self, digest: ModelDigest) -> int:
        return max((pixels for pixels, _ in self._sizes.get(digest, ())), default=0)

    def _ordered(self, digest: ModelDigest) -> tuple[str, ...]:
        known = self._modes.get(digest, set())
        return tuple(mode for mode in Mode if mode in known)

    def miners_of(self, digest: ModelDigest) -> int:
        """Return how many miners are signed in with a model."""
        return sum(self._sizes.get(digest, Counter()).values())


def _larger(one: _Size, other: _Size) -> _Size:
    return max(one[0], other[0]), max(one[1], other[1])

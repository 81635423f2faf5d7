"""The door for programs that were written for AUTOMATIC1111's web UI."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from cuckoo.domain.errors import InvalidField, NotFound, Overloaded
from cuckoo.domain.identifiers import parse_task_id
from cuckoo.domain.task import PICTURES_MAX
from cuckoo.protocol import routes
from cuckoo.protocol.inputs import decoded, inverted
from cuckoo.protocol.messages import TaskRequest, TaskView
from cuckoo.protocol.sdapi import SAMPLERS, Img2Img, JobState, Pictures, ProgressView, Txt2Img, split_loras
from cuckoo.protocol.views import EventKind
from cuckoo.services.dispatch.apps import AppDesk
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.storage.keys import ApiKey
from cuckoo.web.bodies import JSON
from cuckoo.web.mounting import mount
from cuckoo.web.streaming import Streams

_AGAIN_S = 5.0


class SdApi:
    """``/sdapi/v1``: a task, waited for; its progress belongs to whoever has the same API key."""

    def __init__(self, apps: AppDesk, catalogue: Catalogue, streams: Streams) -> None:
        """Take the use cases, and the count of open streams."""
        self._apps = apps
        self._catalogue = catalogue
        self._streams = streams
        self._under_way: dict[int | None, tuple[str, ProgressView]] = {}

    def mount(
        self,
        app: web.Application,
        *,
        body_limit: int,
        picture_body_limit: int,
        admit: Callable[[web.Request], None],
        key: web.RequestKey[ApiKey],
    ) -> None:
        """Put the routes onto an application; ``admit`` writes the caller's API key under ``key``."""
        self._key = key
        for route, handle in (
            (routes.TXT2IMG, self.txt2img),
            (routes.IMG2IMG, self.img2img),
            (routes.SD_PROGRESS, self.progress),
            (routes.SD_INTERRUPT, self.interrupt),
            (routes.SD_MODELS, self.models),
            (routes.SD_SAMPLERS, self.samplers),
            (routes.SD_OPTIONS, self.options),
            (routes.SD_SCRIPTS, self.scripts),
        ):
            limit = picture_body_limit if route.pictures else body_limit
            mount(app, route, handle, body_limit=limit, admit=admit)

    def _owner(self, request: web.Request) -> int | None:
        key = request.get(self._key)
        return None if key is None else key.key_id

    async def txt2img(self, request: web.Request, body: Txt2Img) -> Pictures:
        """Pictures, when they are done."""
        return await self._serve(request, body, self._wanted(body))

    async def img2img(self, request: web.Request, body: Img2Img) -> Pictures:
        """Pictures of a picture, when they are done."""
        if len(body.init_images) != 1:
            raise InvalidField("init_images", f"{len(body.init_images)} pictures", "must be one")
        mask = body.mask or ""
        if mask and body.inpainting_mask_invert:
            mask = await asyncio.to_thread(_inverted, mask)
        wanted = msgspec.structs.replace(
            self._wanted(body), source=body.init_images[0], mask=mask, strength=body.denoising_strength
        )
        return await self._serve(request, body, wanted)

    async def _serve(self, request: web.Request, body: Txt2Img, wanted: TaskRequest) -> Pictures:
        key, owner = request.get(self._key), self._owner(request)
        with self._streams.one_of(key):
            view, _ = await self._apps.submit(wanted, key=key)
            try:
                await self._follow(view, owner)
                count = view.parameters.pictures
                pictures = [(await self._apps.picture(view.task_id, index, owner))[1] for index in range(count)]
            except BaseException:
                await asyncio.shield(self._apps.cancel(view.task_id, owner))  # nobody waits for it any more
                raise
            finally:
                if self._under_way.get(owner, ("",))[0] == view.task_id:
                    del self._under_way[owner]
        return Pictures(
            images=tuple(base64.b64encode(png).decode() for png in pictures) if body.send_images else (),
            parameters=_repeated(body),
            info=_info(view, body),
        )

    async def _follow(self, view: TaskView, owner: int | None) -> None:
        """Keep what is asked by ``progress`` until the task is done."""
        preview = None
        async for event in self._apps.events(view.task_id, owner):
            if event.kind is EventKind.FAILED:
                raise Overloaded(f"draw the pictures of task {view.task_id}: {event.reason}", _AGAIN_S)
            if event.kind is EventKind.CANCELLED:
                raise Overloaded(f"draw the pictures of task {view.task_id}: interrupted", _AGAIN_S)
            preview = base64.b64encode(event.preview).decode() if event.preview else preview
            done = event.step / event.steps if event.steps else 0.0
            self._under_way[owner] = (
                view.task_id,
                ProgressView(
                    progress=done,
                    eta_relative=event.eta_p50_s or 0.0,
                    state=JobState(
                        job=view.task_id,
                        job_count=1,
                        sampling_step=event.step,
                        sampling_steps=event.steps,
                    ),
                    current_image=preview,
                ),
            )

    async def progress(self, request: web.Request, _: Any) -> ProgressView:
        """How far the newest of the caller's requests is."""
        _, view = self._under_way.get(self._owner(request), (None, ProgressView()))
        if request.query.get("skip_current_image", "false").lower() in ("true", "1"):
            return msgspec.structs.replace(view, current_image=None)
        return view

    async def interrupt(self, request: web.Request, _: Any) -> web.Response:
        """Take it back."""
        owner = self._owner(request)
        if owner in self._under_way:
            await self._apps.cancel(parse_task_id(self._under_way[owner][0]), owner)
        return web.Response(body=b"{}", content_type=JSON)

    async def models(self, _request: web.Request, _: Any) -> web.Response:
        """What ``override_settings.sd_model_checkpoint`` may name."""
        return _listed(
            {
                "title": view.id,
                "model_name": view.id,
                "hash": view.digest[:10],
                "sha256": view.digest,
                "filename": view.id,
                "config": None,
            }
            for view in self._catalogue.views()
        )

    async def samplers(self, _request: web.Request, _: Any) -> web.Response:
        """Its names of the schedulers that tasks may name."""
        return _listed({"name": name, "aliases": [name], "options": {}} for name in SAMPLERS)

    async def options(self, _request: web.Request, _: Any) -> web.Response:
        """What stands, which can not be changed from here."""
        views = list(self._catalogue.views())
        return _listed_one({"sd_model_checkpoint": views[0].id if views else None, "samples_format": "png"})

    async def scripts(self, _request: web.Request, _: Any) -> web.Response:
        """There are none; clients ask before anything else."""
        return _listed_one({"txt2img": [], "img2img": []})

    def _wanted(self, body: Txt2Img) -> TaskRequest:
        """Turn a request into ours.

        Raises:
            NotFound: no such sampler.
            InvalidField: too many pictures.
        """
        sampler = body.sampler_name or body.sampler_index or ""
        if sampler and sampler not in SAMPLERS:
            raise NotFound(f"draw with the sampler {sampler[:80]}: sampler not found; there are {', '.join(SAMPLERS)}")
        count = body.batch_size * body.n_iter
        if not 1 <= count <= PICTURES_MAX:
            raise InvalidField("batch_size", count, f"times n_iter must be 1 to {PICTURES_MAX}")
        prompt, loras = split_loras(body.prompt)
        chosen = (body.override_settings or {}).get("sd_model_checkpoint")
        return TaskRequest(
            prompt=prompt,
            loras=loras,
            negative_prompt=body.negative_prompt,
            model=chosen if isinstance(chosen, str) else "",
            pictures=count,
            width_px=body.width,
            height_px=body.height,
            steps=body.steps,
            guidance=body.cfg_scale,
            scheduler=SAMPLERS.get(sampler, ""),
            seed=None if body.seed < 0 else body.seed,
        )


def _inverted(mask: str) -> str:
    return base64.b64encode(inverted(decoded(mask, "mask"))).decode()


def _repeated(body: Txt2Img) -> dict[str, Any]:
    """Return what was asked, without the pictures, as the original does unless it is told otherwise."""
    asked: dict[str, Any] = msgspec.to_builtins(body)
    if isinstance(body, Img2Img) and not body.include_init_images:
        asked |= {"init_images": None, "mask": None}
    return asked


def _info(view: TaskView, body: Txt2Img) -> str:
    asked = view.parameters
    seeds = [asked.seed + number for number in range(asked.pictures)]
    about = {
        "prompt": asked.prompt,
        "all_prompts": [asked.prompt] * asked.pictures,
        "negative_prompt": asked.negative_prompt,
        "seed": asked.seed,
        "all_seeds": seeds,
        "width": asked.width_px,
        "height": asked.height_px,
        "sampler_name": body.sampler_name or body.sampler_index or "",
        "cfg_scale": asked.guidance_thousandths / 1_000,
        "steps": asked.steps,
        "batch_size": asked.pictures,
        "sd_model_name": view.model,
        "sd_model_hash": asked.model_digest[:10],
        "index_of_first_image": 0,
        "infotexts": [f"{asked.prompt}\nSteps: {asked.steps}, Seed: {seed}" for seed in seeds],
        "cuckoo_task": view.task_id,
    }
    return msgspec.json.encode(about).decode()


def _listed(rows: Any) -> web.Response:
    return _listed_one(list(rows))


def _listed_one(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type=JSON)

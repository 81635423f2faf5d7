"""The public API: what apps, and anybody who wants to check a coordinator, may call."""

from collections.abc import Collection
from typing import Any

from aiohttp import web

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.task import PICTURES_MAX
from cuckoo.protocol import routes
from cuckoo.protocol.market import DemandView
from cuckoo.protocol.messages import (
    Accepted,
    BatchRequest,
    BatchView,
    EvidenceUpload,
    ReceiptView,
    TaskRequest,
    TaskView,
)
from cuckoo.protocol.views import DisputeList, DrawsView, EvidenceView, Health, MinerList, ModelList, NetworkView
from cuckoo.runtime.clock import SystemClock
from cuckoo.runtime.metrics import CONTENT_TYPE
from cuckoo.services.dispatch.overview import PAGE_MAX
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.disputing.evidence import Evidence
from cuckoo.services.keys import AppKeys
from cuckoo.services.seeds import Seeds
from cuckoo.storage.keys import ApiKey
from cuckoo.web.bodies import JSON, json_response, packed_response
from cuckoo.web.images import ImagesApi
from cuckoo.web.mounting import Handle, digest_in, mount, number_in, task_in
from cuckoo.web.openapi import openapi_document
from cuckoo.web.reference import Reference
from cuckoo.web.sdapi import SdApi
from cuckoo.web.streaming import Streams, stream_events

_KEPT_FOR_EVER = "private, max-age=31536000, immutable"
_PAGE_DEFAULT = 100
_NODE_MAX = 2**32 - 1
_PERIOD_MAX = 2**40
_DISPUTE_MAX = 2**63 - 1
_KEY = web.RequestKey("key", ApiKey)


def _owner(request: web.Request) -> int | None:
    """Return whose tasks the caller may see."""
    key = request.get(_KEY)
    return None if key is None else key.key_id


def _dispute_in(request: web.Request) -> int:
    return number_in(request.match_info["dispute"], "dispute", 1, _DISPUTE_MAX)


def _pass_in(request: web.Request) -> str:
    return request.headers.get("Authorization", "")


class PublicApi:
    """Handlers; each is a line or two around a use case."""

    def __init__(
        self,
        dispatch: Dispatch,
        seeds: Seeds,
        keys: AppKeys,
        evidence: Evidence,
        *,
        streams_limit: int,
        origins: Collection[str] = (),
    ) -> None:
        """Take the use cases, how many event streams may be open, and whose pages may send forms."""
        self._evidence = evidence
        self._keys = keys
        self._streams = Streams(streams_limit)
        self._dispatch = dispatch
        self._apps = dispatch.apps
        self._overview = dispatch.overview
        self._seeds = seeds
        self._images = ImagesApi(dispatch.apps, self._streams, SystemClock(), origins=origins)
        self._sdapi = SdApi(dispatch.apps, dispatch.catalogue, self._streams)
        self._openapi = openapi_document()
        self._reference = Reference(self._openapi)

    def mount(self, app: web.Application, *, body_limit: int, picture_body_limit: int) -> None:
        """Put every public route onto an application."""
        handlers: dict[str, Handle] = {
            "submit_task": self.submit_task,
            "submit_batch": self.submit_batch,
            "get_task": self.get_task,
            "cancel_task": self.cancel_task,
            "task_events": self.task_events,
            "task_picture": self.task_picture,
            "task_receipt": self.task_receipt,
            "list_models": self.list_models,
            "get_network": self.get_network,
            "list_miners": self.list_miners,
            "get_demand": self.get_demand,
            "get_draws": self.get_draws,
            "list_disputes": self.list_disputes,
            "get_dispute": self.get_dispute,
            "dispute_picture": self.dispute_picture,
            "dispute_input": self.dispute_input,
            "file_evidence": self.file_evidence,
            "healthz": self.healthz,
            "readyz": self.readyz,
            "metrics": self.metrics,
            "openapi": self.openapi,
            "reference": self.reference,
        }
        admits = {"file_evidence": self._admit_evidence}
        for route in routes.PUBLIC_ROUTES:
            admit = admits.get(route.name, self._admit if route.caller is routes.Caller.APP else None)
            limit = picture_body_limit if route.pictures else body_limit
            mount(app, route, handlers[route.name], body_limit=limit, admit=admit)
        for door in (self._images, self._sdapi):
            door.mount(
                app,
                body_limit=body_limit,
                picture_body_limit=picture_body_limit,
                admit=self._admit_guests,
                key=_KEY,
            )

    def _admit(self, request: web.Request) -> None:
        key = self._keys.admit(request.headers.get("Authorization"))
        if key is not None:
            request[_KEY] = key

    def _admit_guests(self, request: web.Request) -> None:
        key = self._keys.admit(request.headers.get("Authorization"), guests=True)
        if key is not None:
            request[_KEY] = key

    async def submit_task(self, request: web.Request, body: TaskRequest) -> web.Response:
        """201 for a new task, 200 where the idempotency key was used before."""
        view, created = await self._apps.submit(
            body, idempotency_key=request.headers.get("Idempotency-Key"), key=request.get(_KEY)
        )
        response = json_response(view, 201 if created else 200)
        response.headers["Location"] = f"/v1/tasks/{view.task_id}"
        return response

    async def submit_batch(self, request: web.Request, body: BatchRequest) -> web.Response:
        """201 for new tasks, 200 where the idempotency key was used before."""
        views, created = await self._apps.submit_batch(
            body, idempotency_key=request.headers.get("Idempotency-Key"), key=request.get(_KEY)
        )
        return json_response(BatchView(tasks=views), 201 if created else 200)

    async def get_task(self, request: web.Request, _: Any) -> TaskView:
        """One task."""
        return await self._apps.get(task_in(request), _owner(request))

    async def cancel_task(self, request: web.Request, _: Any) -> TaskView:
        """The task as it stands after the cancellation."""
        return await self._apps.cancel(task_in(request), _owner(request))

    async def task_events(self, request: web.Request, _: Any) -> web.StreamResponse:
        """Server-sent events."""
        with self._streams.one_of(request.get(_KEY)):
            return await stream_events(request, self._apps.events(task_in(request), _owner(request)))

    async def task_picture(self, request: web.Request, _: Any) -> web.Response:
        """A PNG file; it never changes."""
        name = request.match_info["index"].removesuffix(".png")
        index = number_in(name, "index", 0, PICTURES_MAX - 1)
        digest, png = await self._apps.picture(task_in(request), index, _owner(request))
        headers = {
            "ETag": f'"{digest.hex()}"',
            "Cache-Control": _KEPT_FOR_EVER,
            "X-Content-Type-Options": "nosniff",
        }
        if any(tag.value == digest.hex() for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def task_receipt(self, request: web.Request, _: Any) -> ReceiptView:
        """Who made the pictures, signed."""
        return await self._apps.receipt(task_in(request), _owner(request))

    async def list_models(self, _request: web.Request, _: Any) -> ModelList:
        """What tasks may name."""
        return ModelList(data=tuple(self._dispatch.catalogue.views()))

    async def get_network(self, _request: web.Request, _: Any) -> NetworkView:
        """This network and this coordinator."""
        return self._overview.network()

    async def list_miners(self, request: web.Request, _: Any) -> MinerList:
        """A page of miners."""
        after = number_in(request.query.get("after", "0"), "after", 0, _NODE_MAX)
        limit = number_in(request.query.get("limit", str(_PAGE_DEFAULT)), "limit", 1, PAGE_MAX)
        return await self._overview.miners(NodeId(after), limit)

    async def get_demand(self, _request: web.Request, _: Any) -> DemandView:
        """Which models apps asked for."""
        return self._overview.demand()

    async def get_draws(self, request: web.Request, _: Any) -> DrawsView:
        """A closed period, ready to be replayed."""
        return await self._seeds.draws(number_in(request.match_info["period"], "period", 0, _PERIOD_MAX))

    async def list_disputes(self, _request: web.Request, _: Any) -> DisputeList:
        """Disputes whose evidence is here."""
        return await self._evidence.all()

    async def get_dispute(self, request: web.Request, _: Any) -> EvidenceView:
        """What jurors judge."""
        return await self._evidence.get(_dispute_in(request))

    async def dispute_picture(self, request: web.Request, _: Any) -> web.Response:
        """A PNG file that jurors judge."""
        png = await self._evidence.picture(_dispute_in(request), digest_in(request), _pass_in(request))
        return web.Response(body=png, content_type="image/png", headers={"X-Content-Type-Options": "nosniff"})

    async def dispute_input(self, request: web.Request, _: Any) -> web.Response:
        """A source, a mask, or a list of LoRAs that jurors need."""
        return packed_response(await self._evidence.input(_dispute_in(request), digest_in(request), _pass_in(request)))

    def _admit_evidence(self, request: web.Request) -> None:
        self._evidence.check_wanted(_dispute_in(request))

    async def file_evidence(self, request: web.Request, body: EvidenceUpload) -> Accepted:
        """What the accused shows."""
        await self._evidence.file(_dispute_in(request), body)
        return Accepted()

    async def healthz(self, _request: web.Request, _: Any) -> Health:
        """This process lives."""
        return Health(ok=True)

    async def readyz(self, _request: web.Request, _: Any) -> web.Response:
        """200 when tasks are taken and drawn for, else 503."""
        health = self._overview.health()
        return json_response(health, 200 if health.ok else 503)

    async def metrics(self, _request: web.Request, _: Any) -> web.Response:
        """Prometheus metrics."""
        return web.Response(body=self._dispatch.metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, _request: web.Request, _: Any) -> web.Response:
        """The description of this API."""
        return web.Response(body=self._openapi, content_type=JSON)

    async def reference(self, _request: web.Request, _: Any) -> web.Response:
        """The description of this API, for people."""
        return web.Response(text=self._reference.page, content_type="text/html", headers=self._reference.headers)

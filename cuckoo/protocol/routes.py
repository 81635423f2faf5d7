"""Every route of the coordinator: method, path, what goes in, what comes out, who may call it."""

from enum import StrEnum

import msgspec

from cuckoo.protocol import market, messages, openai, sdapi, views

_SMALL, _LARGE, _WITH_PREVIEW = 8_192, 65_536, 2 * messages.PREVIEW_MAX_BYTES + 8_192
"""Bytes. A prompt of 2,000 characters, each escaped, takes 24,000; a preview is written in hex."""

_ELEMENTS = 5_000
"""More than two prompts of nothing but commas have, and all fields."""


class Caller(StrEnum):
    """Who may call a route."""

    ANYONE = "anyone"
    APP = "app"
    MINER = "miner"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route.

    Attributes:
        request, reply: None where there is no body, or one that is no struct.
        pictures: its request may carry pictures, and be as large as they are.
        elements_max: commas that a JSON body can sensibly have, in texts or between elements; 0 for any number.
        body_max: bytes of the largest request that makes sense; 0 where only the server's own limit holds.
    """

    name: str
    method: str
    path: str
    caller: Caller
    request: type[msgspec.Struct] | None = None
    reply: type[msgspec.Struct] | None = None
    binary: bool = False
    pictures: bool = False
    elements_max: int = 0
    body_max: int = 0


SIGN_IN = Route(
    name="sign_in",
    method="POST",
    path="/miner/v1/sign-in",
    caller=Caller.ANYONE,
    request=messages.SignInRequest,
    body_max=_SMALL,
    reply=messages.SignInOffer,
)
OPEN_SESSION = Route(
    name="open_session",
    method="POST",
    path="/miner/v1/sessions",
    caller=Caller.ANYONE,
    request=messages.SignInProof,
    body_max=_LARGE,
    reply=messages.Session,
)
SIGN_OUT = Route(
    name="sign_out",
    method="DELETE",
    path="/miner/v1/sessions",
    caller=Caller.MINER,
    reply=messages.Accepted,
)
POLL = Route(
    name="poll",
    method="POST",
    path="/miner/v1/poll",
    caller=Caller.MINER,
    request=messages.Poll,
    body_max=_LARGE,
    reply=messages.SignedAssignment,
)
PROGRESS = Route(
    name="progress",
    method="POST",
    path="/miner/v1/attempts/{task}/{attempt}/progress",
    caller=Caller.MINER,
    request=messages.Progress,
    body_max=_WITH_PREVIEW,
    reply=messages.ProgressReply,
)
RESULT = Route(
    name="result",
    method="POST",
    path="/miner/v1/attempts/{task}/{attempt}/result",
    caller=Caller.MINER,
    request=messages.ResultUpload,
    reply=messages.SubmitReply,
    binary=True,
    pictures=True,
)
INPUT = Route(
    name="input",
    method="GET",
    path="/miner/v1/attempts/{task}/{attempt}/inputs/{sha256}",
    caller=Caller.MINER,
)
FAILURE = Route(
    name="failure",
    method="POST",
    path="/miner/v1/attempts/{task}/{attempt}/failure",
    caller=Caller.MINER,
    request=messages.Failure,
    body_max=_SMALL,
    reply=messages.Accepted,
)
CHALLENGE = Route(
    name="challenge",
    method="POST",
    path="/miner/v1/challenges/{challenge}",
    caller=Caller.MINER,
    request=messages.ChallengeAnswer,
    reply=messages.SubmitReply,
    binary=True,
    pictures=True,
)
MISSED = Route(name="missed", method="GET", path="/miner/v1/missed", caller=Caller.MINER, reply=market.MissedView)
MINER_ROUTES = (SIGN_IN, OPEN_SESSION, SIGN_OUT, POLL, INPUT, PROGRESS, RESULT, FAILURE, CHALLENGE, MISSED)

SUBMIT_TASK = Route(
    name="submit_task",
    method="POST",
    path="/v1/tasks",
    caller=Caller.APP,
    request=messages.TaskRequest,
    pictures=True,
    elements_max=_ELEMENTS,
    reply=messages.TaskView,
)
SUBMIT_BATCH = Route(
    name="submit_batch",
    method="POST",
    path="/v1/batches",
    caller=Caller.APP,
    request=messages.BatchRequest,
    pictures=True,
    elements_max=messages.BATCH_MAX * _ELEMENTS,
    reply=messages.BatchView,
)
GET_TASK = Route(name="get_task", method="GET", path="/v1/tasks/{task}", caller=Caller.APP, reply=messages.TaskView)
CANCEL_TASK = Route(
    name="cancel_task",
    method="DELETE",
    path="/v1/tasks/{task}",
    caller=Caller.APP,
    reply=messages.TaskView,
)
TASK_EVENTS = Route(name="task_events", method="GET", path="/v1/tasks/{task}/events", caller=Caller.APP)
TASK_PICTURE = Route(name="task_picture", method="GET", path="/v1/tasks/{task}/pictures/{index}", caller=Caller.APP)
TASK_RECEIPT = Route(
    name="task_receipt",
    method="GET",
    path="/v1/tasks/{task}/receipt",
    caller=Caller.APP,
    reply=messages.ReceiptView,
)
CREATE_IMAGE = Route(
    name="create_image",
    method="POST",
    path="/v1/images/generations",
    caller=Caller.APP,
    request=openai.ImagesRequest,
    body_max=_LARGE,
    reply=openai.ImagesResponse,
)
EDIT_IMAGE = Route(
    name="edit_image",
    method="POST",
    path="/v1/images/edits",
    caller=Caller.APP,
    reply=openai.ImagesResponse,
    pictures=True,
)
IMAGE_FILE = Route(name="image_file", method="GET", path="/v1/images/files/{token}", caller=Caller.ANYONE)
OPENAI_ROUTES = (CREATE_IMAGE, EDIT_IMAGE, IMAGE_FILE)
TXT2IMG = Route(
    name="txt2img",
    method="POST",
    path="/sdapi/v1/txt2img",
    caller=Caller.APP,
    request=sdapi.Txt2Img,
    body_max=_LARGE,
    reply=sdapi.Pictures,
)
IMG2IMG = Route(
    name="img2img",
    method="POST",
    path="/sdapi/v1/img2img",
    caller=Caller.APP,
    request=sdapi.Img2Img,
    pictures=True,
    elements_max=_ELEMENTS,
    reply=sdapi.Pictures,
)
SD_PROGRESS = Route(
    name="sd_progress", method="GET", path="/sdapi/v1/progress", caller=Caller.APP, reply=sdapi.ProgressView
)
SD_INTERRUPT = Route(name="sd_interrupt", method="POST", path="/sdapi/v1/interrupt", caller=Caller.APP)
SD_MODELS = Route(name="sd_models", method="GET", path="/sdapi/v1/sd-models", caller=Caller.APP)
SD_SAMPLERS = Route(name="sd_samplers", method="GET", path="/sdapi/v1/samplers", caller=Caller.APP)
SD_OPTIONS = Route(name="sd_options", method="GET", path="/sdapi/v1/options", caller=Caller.APP)
SD_SCRIPTS = Route(name="sd_scripts", method="GET", path="/sdapi/v1/scripts", caller=Caller.APP)
SD_ROUTES = (TXT2IMG, IMG2IMG, SD_PROGRESS, SD_INTERRUPT, SD_MODELS, SD_SAMPLERS, SD_OPTIONS, SD_SCRIPTS)
LIST_MODELS = Route(name="list_models", method="GET", path="/v1/models", caller=Caller.ANYONE, reply=views.ModelList)
GET_NETWORK = Route(name="get_network", method="GET", path="/v1/network", caller=Caller.ANYONE, reply=views.NetworkView)
LIST_MINERS = Route(name="list_miners", method="GET", path="/v1/miners", caller=Caller.ANYONE, reply=views.MinerList)
GET_DEMAND = Route(name="get_demand", method="GET", path="/v1/demand", caller=Caller.ANYONE, reply=market.DemandView)
GET_DRAWS = Route(
    name="get_draws", method="GET", path="/v1/draws/{period}", caller=Caller.ANYONE, reply=views.DrawsView
)
LIST_DISPUTES = Route(
    name="list_disputes", method="GET", path="/v1/disputes", caller=Caller.ANYONE, reply=views.DisputeList
)
GET_DISPUTE = Route(
    name="get_dispute", method="GET", path="/v1/disputes/{dispute}", caller=Caller.ANYONE, reply=views.EvidenceView
)
DISPUTE_PICTURE = Route(
    name="dispute_picture", method="GET", path="/v1/disputes/{dispute}/pictures/{sha256}", caller=Caller.ANYONE
)
DISPUTE_INPUT = Route(
    name="dispute_input", method="GET", path="/v1/disputes/{dispute}/inputs/{sha256}", caller=Caller.ANYONE
)
FILE_EVIDENCE = Route(
    name="file_evidence",
    method="POST",
    path="/v1/disputes/{dispute}",
    caller=Caller.ANYONE,
    request=messages.EvidenceUpload,
    reply=messages.Accepted,
    binary=True,
    pictures=True,
)
REPORT = Route(
    name="report",
    method="POST",
    path="/v1/reports",
    caller=Caller.ANYONE,
    request=messages.ReportRequest,
    body_max=_LARGE,
    reply=messages.Reported,
)
HEALTHZ = Route(name="healthz", method="GET", path="/healthz", caller=Caller.ANYONE, reply=views.Health)
READYZ = Route(name="readyz", method="GET", path="/readyz", caller=Caller.ANYONE, reply=views.Health)
METRICS = Route(name="metrics", method="GET", path="/metrics", caller=Caller.ANYONE)
OPENAPI = Route(name="openapi", method="GET", path="/openapi.json", caller=Caller.ANYONE)
REFERENCE = Route(name="reference", method="GET", path="/docs", caller=Caller.ANYONE)
PUBLIC_ROUTES = (
    SUBMIT_TASK,
    SUBMIT_BATCH,
    GET_TASK,
    CANCEL_TASK,
    TASK_EVENTS,
    TASK_PICTURE,
    TASK_RECEIPT,
    LIST_MODELS,
    GET_NETWORK,
    LIST_MINERS,
    GET_DEMAND,
    GET_DRAWS,
    LIST_DISPUTES,
    GET_DISPUTE,
    DISPUTE_PICTURE,
    DISPUTE_INPUT,
    FILE_EVIDENCE,
    HEALTHZ,
    READYZ,
    METRICS,
    OPENAPI,
    REFERENCE,
)
ROUTES = (*PUBLIC_ROUTES, REPORT, *OPENAI_ROUTES, *SD_ROUTES, *MINER_ROUTES)

"""Calls to coordinators over HTTP.

For apps::

    from cuckoo.client import Cuckoo

    with Cuckoo("http://127.0.0.1:8080") as cuckoo:
        cuckoo.generate("a red apple").save("apple.png")

and AsyncCuckoo where an event loop runs; both are described in docs/client.md. No torch, web3 or server is imported.
"""

from cuckoo.client.asking import Listener, TaskFailed
from cuckoo.client.asynchronous import AsyncCuckoo, Wishes
from cuckoo.client.blocking import Cuckoo
from cuckoo.client.pictures import Picture, Pictures
from cuckoo.domain.errors import (
    ConfigError,
    Conflict,
    CoordinatorUnreachable,
    CuckooError,
    InvalidField,
    KeyRefused,
    LimitReached,
    NotFound,
    Overloaded,
    PeerFault,
    SignatureInvalid,
    Unavailable,
)
from cuckoo.protocol.messages import ReceiptView, TaskRequest, TaskView
from cuckoo.protocol.views import EventKind, TaskEvent

__all__ = [
    "AsyncCuckoo",
    "ConfigError",
    "Conflict",
    "CoordinatorUnreachable",
    "Cuckoo",
    "CuckooError",
    "EventKind",
    "InvalidField",
    "KeyRefused",
    "LimitReached",
    "Listener",
    "NotFound",
    "Overloaded",
    "PeerFault",
    "Picture",
    "Pictures",
    "ReceiptView",
    "SignatureInvalid",
    "TaskEvent",
    "TaskFailed",
    "TaskRequest",
    "TaskView",
    "Unavailable",
    "Wishes",
]

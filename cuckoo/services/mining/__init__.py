"""Mining: find coordinators, take assignments, run them in the pool, deliver signed results."""

from cuckoo.services.mining.latents import KeptLatents
from cuckoo.services.mining.receipts import DurableReceipts
from cuckoo.services.mining.seams import CoordinatorLink, Miner, MiningOptions, Pool, ReceiptStore
from cuckoo.services.mining.service import Mining

__all__ = [
    "CoordinatorLink",
    "DurableReceipts",
    "KeptLatents",
    "Miner",
    "Mining",
    "MiningOptions",
    "Pool",
    "ReceiptStore",
]

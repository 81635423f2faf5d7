"""What goes wrong on a device, as its child meets it and as the pool tells it."""

from cuckoo.domain.errors import CuckooError


class OutOfMemory(CuckooError):
    """One picture of this size does not fit the device.

    Attributes:
        limit_pixels: the largest picture (width times height) that was measured to fit; 0 for none.
    """

    code = "out_of_memory"

    def __init__(self, message: str, limit_pixels: int) -> None:
        """Carry the measured limit."""
        super().__init__(message)
        self.limit_pixels = limit_pixels

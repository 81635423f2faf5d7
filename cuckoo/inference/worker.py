"""The child process of one device: ``python -m cuckoo.inference.worker``, started by the pool, spoken to over pipes.

One thread reads what the parent says (and ends the process when the parent is gone), the main one loads models and
hands out jobs, a few see one job each through: they put its batches on the pipeline's line and encode and hash what
comes off it. The parent is asked for the next job while the last step of this one runs, so that the device never waits.
"""

import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cuckoo.domain.errors import CuckooError, PeerFault
from cuckoo.inference import latents
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.host import described, peak_bytes
from cuckoo.inference.line import STAGES, Line
from cuckoo.inference.messages import (
    Batch,
    Cancel,
    Cancelled,
    Failed,
    FailureKind,
    Finished,
    FrameInvalid,
    Load,
    Loaded,
    LoadFailed,
    Progress,
    Ready,
    Replay,
    Replayed,
    Run,
    Shutdown,
    ToParent,
    frame,
    read_for_child,
)
from cuckoo.inference.models import DigestCache

if TYPE_CHECKING:
    from cuckoo.inference.drawing import Drawing, Watch
    from cuckoo.inference.pipelines import Pipeline

PARENT_GONE = 0
OUT_OF_STEP = 3
JOBS = 5
"""Jobs at once: one in each stage of the line, and two that are encoded (a few steps take less time than a PNG)."""


class Worker:
    """Serves one parent: loads models, runs jobs in order of arrival, answers."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Take the two pipes; nothing else may read or write them."""
        self._requests = requests
        self._answers = answers
        self._writing = threading.Lock()
        self._inbox: queue.SimpleQueue[Load | Batch | Replay | Shutdown] = queue.SimpleQueue()
        self._ending = threading.Lock()
        self._under_way: set[str] = set()
        self._stopped: set[str] = set()
        self._pipelines: dict[str, Pipeline] = {}
        self._device = ""
        self._line = Line(STAGES)
        self._jobs = ThreadPoolExecutor(JOBS, thread_name_prefix="job")

    def serve(self) -> None:
        """Work until told to shut down; the process ends at once when the parent's end of the pipe closes."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while not isinstance(message := self._inbox.get(), Shutdown):
            if isinstance(message, Load):
                self._load(message)
            elif isinstance(message, Replay):
                self._jobs.submit(self._replay, message)
            else:
                self._jobs.submit(self._run, message)
        self._jobs.shutdown(wait=True)

    def _listen(self) -> None:
        try:
            while (message := read_for_child(self._requests)) is not None:
                if isinstance(message, Cancel):
                    if message.job_id in self._under_way:
                        self._stopped.add(message.job_id)
                    continue
                if isinstance(message, Batch):
                    self._under_way |= {run.job_id for run in message.runs}
                if isinstance(message, Replay):
                    self._under_way.add(message.job_id)
                self._inbox.put(message)
        except FrameInvalid as error:
            sys.stderr.write(f"{error}\n")
            os._exit(OUT_OF_STEP)
        os._exit(PARENT_GONE)

    def _say(self, message: ToParent) -> None:
        with self._writing:
            try:
                self._answers.write(frame(message))
                self._answers.flush()
            except BrokenPipeError:
                os._exit(PARENT_GONE)

    def _load(self, load: Load) -> None:
        self._device = load.device
        try:
            from cuckoo.inference.pipelines import Pipeline  # torch takes seconds to import
            from cuckoo.inference.replaying import replays

            cache = DigestCache(Path(load.digest_cache)) if load.digest_cache else None
            pipeline = Pipeline(
                load.model,
                load.device,
                cache,
                line=self._line,
                overlap=load.overlap,
                dtype=load.dtype,
                attention=load.attention,
            )
            pixel_step_s = pipeline.warm_up()
        except Exception as error:  # noqa: BLE001 - the parent gets it, whatever it is
            why = str(error) if isinstance(error, CuckooError) else f"{type(error).__name__}: {error}"
            self._say(LoadFailed(digest=load.model.digest, message=f"{load.model.name} on {load.device}: {why}"))
            return
        self._pipelines[load.model.digest] = pipeline
        self._say(
            Loaded(
                digest=load.model.digest,
                profile=pipeline.profile(),
                pixel_step_s=pixel_step_s,
                replays=replays(pipeline),
                modes=pipeline.modes,
            )
        )

    def _run(self, batch: Batch) -> None:
        from cuckoo.inference.drawing import Asked

        started = time.perf_counter()
        digest = batch.runs[0].parameters.model_digest
        pipeline = self._pipelines.get(digest)
        if pipeline is None:
            for run in batch.runs:
                self._fail(run.job_id, "invalid", _not_loaded(digest))
            return
        runs = [run for run in batch.runs if self._passes(pipeline, run)]
        if not runs:
            return
        try:
            asked = [Asked(run.parameters, self._watch(run), run.inputs) for run in runs]
            for run, drawing in zip(runs, pipeline.draw_together(asked, batch.bucket), strict=True):
                if drawing is not None:
                    self._finish(run, drawing, started)
        except Exception as error:  # noqa: BLE001 - the parent gets it, whatever it is
            for run in runs:
                if isinstance(error, OutOfMemory):
                    self._fail(run.job_id, "out_of_memory", str(error), error.limit_pixels)
                elif isinstance(error, PeerFault):
                    self._fail(run.job_id, "invalid", str(error))
                else:
                    self._fail(run.job_id, "internal", f"{type(error).__name__}: {error}")

    def _passes(self, pipeline: "Pipeline", run: Run) -> bool:
        """Tell whether a job is to be drawn; one that is not gets its answer."""
        if self._is_over(run.job_id):
            return False
        try:
            pipeline.check(run.parameters)
        except PeerFault as error:
            self._fail(run.job_id, "invalid", str(error))
            return False
        return True

    def _is_over(self, job_id: str) -> bool:
        """Tell whether a job has its answer; one that was cancelled gets it now."""
        if job_id in self._stopped:
            self._end(Cancelled(job_id=job_id))
        return job_id not in self._under_way

    def _watch(self, run: Run) -> "Watch":
        from cuckoo.inference.drawing import Watch

        job_id = run.job_id
        return Watch(
            stopped=lambda: self._is_over(job_id),
            progress=lambda step, steps, png: self._say(
                Progress(job_id=job_id, step=step, steps=steps, preview_png=png)
            ),
            nearly=lambda: self._say(Ready(job_id=job_id)),
            preview_every=run.preview_every,
        )

    def _finish(self, run: Run, drawing: "Drawing", started: float) -> None:
        from cuckoo.inference.drawing import encode

        encoded = encode(drawing)
        if run.latents_file:
            latents.write(Path(run.latents_file), encoded.leaves, drawing.latents)
        self._end(
            Finished(
                job_id=run.job_id,
                pictures=encoded.pictures,
                picture_hashes=encoded.picture_hashes,
                latents_root=encoded.latents_root,
                profile=drawing.profile,
                step_s=drawing.step_s,
                seconds=time.perf_counter() - started,
                peak_bytes=peak_bytes(self._device),
            )
        )

    def _replay(self, replay: Replay) -> None:
        from cuckoo.inference.replaying import run_again

        started = time.perf_counter()
        job_id, digest = replay.job_id, replay.parameters.model_digest
        pipeline = self._pipelines.get(digest)
        if pipeline is None:
            self._fail(job_id, "invalid", _not_loaded(digest))
            return
        try:
            noise, step, decoded = run_again(pipeline, replay)
        except PeerFault as error:
            self._fail(job_id, "invalid", str(error))
        except Exception as error:  # noqa: BLE001 - the parent gets it, whatever it is
            self._fail(job_id, "internal", f"{type(error).__name__}: {error}")
        else:
            seconds = time.perf_counter() - started
            self._end(
                Replayed(
                    job_id=job_id,
                    profile=pipeline.profile(),
                    noise=noise,
                    step=step,
                    decoded=decoded,
                    seconds=seconds,
                )
            )

    def _fail(self, job_id: str, kind: FailureKind, message: str, limit_pixels: int = 0) -> None:
        self._end(Failed(job_id=job_id, kind=kind, message=message, limit_pixels=limit_pixels))

    def _end(self, answer: Finished | Replayed | Failed | Cancelled) -> None:
        """Answer a job, if it has no answer yet."""
        with self._ending:
            if answer.job_id not in self._under_way:
                return
            self._under_way.discard(answer.job_id)
            self._stopped.discard(answer.job_id)
        self._say(answer)


def _not_loaded(digest: str) -> str:
    return f"model_digest: {digest} is not loaded here"


def devices() -> list[str]:
    """Name the devices that torch can use, best first; the CPU only where there is nothing else."""
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["mps"] if torch.backends.mps.is_available() else ["cpu"]


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take both pipes for the protocol: a stray print goes to standard error, a stray read finds nothing."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # flushed at each line: what was said survives a kill
    return requests, answers


def main() -> None:
    """Serve the parent, or print the devices at hand (``--devices``), or what one is (``--describe DEVICE``)."""
    if sys.argv[1:] == ["--devices"]:
        sys.stdout.write("\n".join(devices()) + "\n")
        return
    if sys.argv[1:2] == ["--describe"]:
        sys.stdout.buffer.write(described(sys.argv[2]))
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what follows
    requests, answers = _claim_pipes()
    Worker(requests, answers).serve()
    os._exit(0)  # threads of libraries must not keep a finished worker


if __name__ == "__main__":
    main()

"""What decides the exact pixels besides the task, and how threads are shared out so that it stays the same."""

import os
from collections.abc import Iterable, Mapping

from cuckoo.domain.task import RuntimeProfile


def available_cores() -> int:
    """Count the CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def threads_per_child(cpu_children: int, worth: Iterable[int] = (), cores: int | None = None) -> int:
    """Share the cores among the CPU children of this host.

    Args:
        cpu_children: how many run on this host, those of other processes included; >= 1.
        worth: ``cpu_threads`` of the models they load: the most that help each, 0 for no limit.
        cores: default all that this process may use.
    """
    share = max(1, (cores or available_cores()) // max(1, cpu_children))
    return min([share, *(threads for threads in worth if threads)])


def overlap_pays(device: str, threads: int, cpu_children: int, cores: int | None = None) -> bool:
    """Tell whether a child should work on several jobs at once; the pixels are the same either way.

    Args:
        device: "cpu", "cuda:N" or "mps". A GPU has a processor of its own; on the CPU two stages need twice the cores.
        threads: CPU threads of a child on the CPU.
        cpu_children: how many of those run on this host.
        cores: default all that this process may use.
    """
    return device != "cpu" or 2 * threads <= (cores or available_cores()) // max(1, cpu_children)


def child_environment(environ: Mapping[str, str], device: str, threads: int, isa: str = "") -> dict[str, str]:
    """Return the environment in which a child starts.

    Thread counts must stand before torch is imported, and idle threads must sleep instead of spin: spinning ones make
    several children on one host a hundred times slower.

    Args:
        environ: the parent's.
        device: "cpu", "cuda:N" or "mps".
        threads: CPU threads of a child on the CPU; ignored elsewhere.
        isa: most that torch may use of the CPU's vector instructions, for example "avx2"; "" for all.
    """
    quiet = {
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONUNBUFFERED": "1",
    }
    if device != "cpu":
        return {**environ, **quiet}
    count = str(threads)
    return {
        **environ,
        **quiet,
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        **({"ATEN_CPU_CAPABILITY": isa, "ONEDNN_MAX_CPU_ISA": isa.upper()} if isa else {}),
    }


def runtime_profile(
    *,
    device: str,
    device_name: str,
    dtype: str,
    torch: str,
    attention: str = "sdpa",
    threads: int,
    isa: str,
    batch_bucket: int = 1,
) -> RuntimeProfile:
    """Describe a run by what its exact pixels depend on.

    Args:
        device: "cpu", "cuda:N" or "mps".
        device_name: what the driver calls the GPU; ignored on the CPU.
        dtype: for example "float32".
        torch: its version with the build, for example "2.13.0+cpu".
        attention: the kernel.
        threads: CPU threads of torch; they and ``isa`` count on the CPU only.
        isa: the vector instructions that torch dispatches to, for example "AVX2".
        batch_bucket: the fixed batch size.
    """
    on_cpu = device == "cpu"
    return RuntimeProfile(
        device="cpu" if on_cpu else device_name,
        dtype=dtype,
        torch=torch,
        attention=attention,
        threads=threads if on_cpu else 0,
        isa=isa if on_cpu else "",
        batch_bucket=batch_bucket,
    )

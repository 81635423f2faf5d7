import pytest

from cuckoo.inference import fingerprint


@pytest.mark.parametrize(
    ("children", "worth", "cores", "threads"),
    [(1, (), 8, 8), (3, (), 8, 2), (3, (), 2, 1), (0, (), 4, 4), (1, (1,), 8, 1), (1, (0, 4), 8, 4), (4, (4,), 8, 2)],
)
def test_threads_per_child__cores_and_children__are_shared_out(children, worth, cores, threads):
    assert fingerprint.threads_per_child(children, worth, cores) == threads


def test_threads_per_child__this_machine__is_at_least_one():
    assert fingerprint.threads_per_child(10_000) == 1


@pytest.mark.parametrize(
    ("device", "threads", "children", "cores", "pays"),
    [("cuda:0", 0, 0, 1, True), ("cpu", 1, 1, 2, True), ("cpu", 2, 1, 2, False), ("cpu", 1, 2, 2, False)],
)
def test_overlap__on_the_cpu__needs_cores_that_nobody_uses(device, threads, children, cores, pays):
    assert fingerprint.overlap_pays(device, threads, children, cores) == pays


def test_child_environment__cpu__sets_threads_that_sleep_while_they_wait():
    environment = fingerprint.child_environment({"PATH": "/bin", "OMP_NUM_THREADS": "9"}, "cpu", 2)
    assert environment["PATH"] == "/bin"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "2"


def test_child_environment__gpu__leaves_threads_alone():
    assert "OMP_NUM_THREADS" not in fingerprint.child_environment({}, "cuda:0", 2)


def test_runtime_profile__gpu__leaves_out_what_counts_on_the_cpu_only():
    facts = {"device_name": "NVIDIA H200", "dtype": "float16", "torch": "2.13.0", "threads": 8, "isa": "AVX2"}
    profile = fingerprint.runtime_profile(device="cuda:1", **facts)
    assert (profile.device, profile.threads, profile.isa) == ("NVIDIA H200", 0, "")
    on_cpu = fingerprint.runtime_profile(device="cpu", **facts)
    assert (on_cpu.device, on_cpu.threads, on_cpu.isa) == ("cpu", 8, "AVX2")

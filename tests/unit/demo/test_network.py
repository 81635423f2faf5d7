import socket

from cuckoo.demo.network import MINERS, SETTINGS, environment, free_port


def test_free_port__preferred_is_free__is_taken():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port(port) == port


def test_free_port__preferred_is_busy__another():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert free_port(busy.getsockname()[1]) != busy.getsockname()[1]


def test_environment__of_a_user_with_settings__none_leak_in(tmp_path, monkeypatch):
    monkeypatch.setenv("CUCKOO_NETWORK", "main")
    monkeypatch.setenv("CUCKOO_ANVIL", "/opt/anvil")
    found = {key: value for key, value in environment(tmp_path).items() if key.startswith("CUCKOO_")}
    assert found == {**SETTINGS, "CUCKOO_DATA_DIR": str(tmp_path), "CUCKOO_PASSWORD": "", "CUCKOO_ANVIL": "/opt/anvil"}


def test_miners__have_different_stakes__at_least_the_minimum_of_their_own():
    assert [plan.weight_cai for plan in MINERS] == [20_000, 50_000, 130_000]
    assert all(plan.own_cai >= 20_000 for plan in MINERS)

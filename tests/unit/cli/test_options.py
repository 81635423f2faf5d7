from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cuckoo.cli.options import chain_options, key_options, place_options
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.settings import CoordinatorSettings


@pytest.fixture
def place_of(data_dir):
    """Return the place that a command gets for these flags and variables."""

    def find(*arguments, **environment):
        got = []

        @click.command()
        @key_options
        @chain_options
        @place_options
        def probe(place):
            got.append(place)

        CliRunner().invoke(probe, arguments, env=environment, catch_exceptions=False)
        return got[0]

    return find


def test_network__nothing_said__is_the_devnet_in_the_data_folder(place_of, data_dir):
    place = place_of()
    assert place.network_file == data_dir / "networks" / "devnet.json"
    assert place.keys_dir == data_dir / "keys"


def test_network__flag_environment_file__in_that_order(place_of, data_dir):
    (data_dir / "cuckoo.toml").write_text('[general]\nnetwork = "from-file"\nrpc = ["http://file"]\n')
    assert place_of().network == "from-file"
    assert place_of(CUCKOO_NETWORK="from-environment").network == "from-environment"
    assert place_of("--network", "from-flag", CUCKOO_NETWORK="from-environment").network == "from-flag"
    assert place_of().rpc == ("http://file",)
    assert place_of(CUCKOO_RPC="http://a, http://b").rpc == ("http://a", "http://b")
    assert place_of("--rpc", "http://c", CUCKOO_RPC="http://a").rpc == ("http://c",)


def test_network__a_path__is_taken_as_it_is(place_of):
    assert place_of("--network", "somewhere/net.json").network_file == Path("somewhere/net.json")
    assert place_of("--network", "net.json").network_file == Path("net.json")


def test_config__named_but_missing__refused(place_of):
    with pytest.raises(ConfigError, match="no such file"):
        place_of("--config", "/nowhere/cuckoo.toml")


@pytest.mark.parametrize("text", ["[general", '[general]\nnetwrok = "x"\n'])
def test_config__broken_or_unknown__says_where(place_of, data_dir, text):
    (data_dir / "cuckoo.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"cuckoo\.toml|netwrok"):
        place_of()


def test_settings__of_a_role__come_from_flag_environment_file(place_of, data_dir, monkeypatch):
    (data_dir / "cuckoo.toml").write_text("[coordinator]\nport = 9001\nqueue_limit = 5\n")
    place = place_of()
    monkeypatch.setenv("CUCKOO_COORDINATOR_PORT", "9002")
    assert place.settings(CoordinatorSettings, "coordinator").port == 9002
    assert place.settings(CoordinatorSettings, "coordinator", port=9003).port == 9003
    assert place.settings(CoordinatorSettings, "coordinator").queue_limit == 5

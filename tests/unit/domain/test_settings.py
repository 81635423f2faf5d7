"""flag > environment > file > default."""

import pytest

from cuckoo.domain.errors import ConfigError
from cuckoo.domain.settings import CoordinatorSettings, MinerSettings, load


def _load(kind=CoordinatorSettings, section="coordinator", flags=None, environ=None, file=None):
    return load(kind, section, flags=flags or {}, environ=environ or {}, file=file or {})


def test_load__nothing_given__is_default():
    assert _load() == CoordinatorSettings()


def test_load__all_sources__the_nearer_wins():
    file = {"coordinator": {"port": 1, "queue_limit": 5}}
    environ = {"CUCKOO_COORDINATOR_PORT": "2"}
    assert _load(file=file).port == 1
    assert _load(file=file, environ=environ).port == 2
    assert _load(file=file, environ=environ, flags={"port": 3}).port == 3
    assert _load(file=file, environ=environ, flags={"port": None}).port == 2
    assert _load(file=file, environ=environ).queue_limit == 5


def test_load__list_in_environment__is_split():
    assert _load(MinerSettings, "miner", environ={"CUCKOO_MINER_DEVICES": "cuda:0, cpu"}).devices == ("cuda:0", "cpu")


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"file": {"coordinator": {"prot": 1}}}, "prot is unknown; there are host, port"),
        ({"file": {"coordinator": 1}}, "must be a table"),
        ({"environ": {"CUCKOO_COORDINATOR_PORT": "eighty"}}, "CUCKOO_COORDINATOR_PORT = 'eighty'"),
        ({"flags": {"port": "x"}}, "--port"),
    ],
)
def test_load__bad_value__names_its_source(sources, words):
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        _load(**sources)

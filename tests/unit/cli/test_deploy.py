import pytest

from cuckoo.chain import deployment
from cuckoo.chain.deployment import undeployed
from cuckoo.domain.errors import ChainUnreachable
from cuckoo.domain.network import rules_of

KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
GOVERNOR = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Client:
    """A chain that answers its id, and nothing else."""

    def __init__(self, chain_id):
        self.network = undeployed("new", chain_id, ("http://chain",), rules_of(chain_id))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass


@pytest.fixture
def chain(monkeypatch):
    """Answer with chain 1, and keep what would be deployed."""
    asked = {}

    async def open_undeployed(name, rpc_urls):
        asked["name"], asked["rpc"] = name, rpc_urls
        return Client(asked.get("chain_id", 1))

    async def deploy(client, sender, order, *, journal, progress):
        asked["sender"], asked["order"], asked["journal"] = sender.address, order, journal
        journal.write_text("{}")
        raise ChainUnreachable("create Staking: nobody answers")

    monkeypatch.setattr(deployment, "open_undeployed", open_undeployed)
    monkeypatch.setattr(deployment, "deploy", deploy)
    return asked


@pytest.fixture
def deploy(cuckoo, tmp_path):
    key = tmp_path / "deployer.key"
    key.write_text(KEY)
    key.chmod(0o600)

    def run(*arguments):
        return cuckoo("deploy", "--rpc", "http://chain", "--out", tmp_path / "mine.json", "--key", key, *arguments)

    return run


def test_deploy__flags__become_the_order(deploy, chain, tmp_path):
    flags = ("--governor", GOVERNOR, "--reserve", "1000", "--emission", "10.5", "--faucet", "2")
    result = deploy(*flags)
    order = chain["order"]
    assert (chain["name"], chain["rpc"], chain["journal"]) == (
        "mine",
        ("http://chain",),
        tmp_path / "mine.json.deploying",
    )
    assert order.governor == order.guardian == order.treasury == GOVERNOR
    assert (order.reserve, order.emission, order.faucet_native) == (1_000 * 10**18, 105 * 10**17, 2 * 10**18)
    assert order.rules == rules_of(1)
    assert "main network periods" in result.stderr


def test_deploy__stops_midway__says_how_to_go_on(deploy, chain):
    result = deploy("--governor", GOVERNOR)
    assert result.exit_code == 1
    assert "the same command goes on from there" in result.stderr
    assert "error: create Staking: nobody answers" in result.stderr


def test_deploy__devnet__deployer_governs(deploy, chain):
    chain["chain_id"] = 31_337
    deploy()
    assert chain["order"].governor == chain["sender"]
    assert chain["order"].faucet_native is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nobody would govern: --governor ADDRESS"),
        (("--governor", GOVERNOR.replace("C8", "c8")), "checksum is wrong"),
        (("--governor", GOVERNOR, "--reserve", "1000000001"), "more than the 1,000,000,000 CAI there are"),
        (("--governor", GOVERNOR, "--reserve", "500000001", "--faucet", "1"), "more than the 500,000,000 CAI"),
        (("--governor", GOVERNOR, "--emission", "100000001"), "above the limit of 100,000,000"),
        (("--governor", GOVERNOR, "--reserve", "many"), "can not be read"),
        (("--governor", GOVERNOR, "--key", KEY), "key"),
    ],
)
def test_deploy__wrong_flags__are_refused_before_anything_is_sent(deploy, chain, arguments, said):
    result = deploy(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "order" not in chain


def test_deploy__file_is_there_already__is_not_overwritten(deploy, chain, tmp_path):
    (tmp_path / "mine.json").write_text("precious")
    result = deploy("--governor", GOVERNOR)
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert (tmp_path / "mine.json").read_text() == "precious"


def test_deploy__no_chain__names_the_flag(cuckoo, tmp_path):
    result = cuckoo("deploy", "--out", tmp_path / "mine.json")
    assert (result.exit_code, "--rpc URL" in result.stderr) == (2, True)

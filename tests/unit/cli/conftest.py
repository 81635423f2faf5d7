import msgspec
import pytest
from click.testing import CliRunner

from cuckoo.chain import keystore
from cuckoo.cli.main import cli
from cuckoo.domain.identifiers import Address
from cuckoo.domain.network import DEVNET_RULES, Network

ADDRESS = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    for name in (
        "CUCKOO_NETWORK",
        "CUCKOO_RPC",
        "CUCKOO_KEY",
        "CUCKOO_PASSWORD",
        "CUCKOO_PASSWORD_FILE",
        "CUCKOO_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUCKOO_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def cuckoo(data_dir):
    """Run a command line; the result has exit_code, stdout and stderr."""

    def run(*arguments, **extra):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="cuckoo", **extra)

    return run


@pytest.fixture
def quick_keys(monkeypatch):
    """Keystore files that are made quickly."""
    new_key = keystore.new_key
    monkeypatch.setattr(keystore, "new_key", lambda *args: new_key(*args, scrypt_n=2))


@pytest.fixture
def devnet(data_dir):
    """A network file; gives the folder of its roles."""
    network = Network(
        name="devnet",
        chain_id=31_337,
        rpc_urls=("http://127.0.0.1:1",),
        faucet=None,
        deploy_block=1,
        rules=DEVNET_RULES,
        **dict.fromkeys(("token", "timelock", "staking", "escrow", "disputes", "randomness"), ADDRESS),
    )
    (data_dir / "networks").mkdir()
    (data_dir / "networks" / "devnet.json").write_bytes(msgspec.json.encode(network))
    return data_dir / "devnet"

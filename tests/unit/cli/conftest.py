import pytest
from click.testing import CliRunner

from cuckoo.chain import keystore
from cuckoo.cli.main import cli


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

"""Keys: written once with mode 0600, found in every allowed way, never on a public command line."""

import json
import stat

import pytest
from eth_account import Account

from cuckoo.chain.keystore import list_keys, load_key, new_key
from cuckoo.domain.errors import ConfigError
from cuckoo.protocol.signing import Signer

RAW = "0x" + "11" * 32


def _load(reference, tmp_path, password="pw", environ=None, raw_allowed=False):
    return load_key(
        reference,
        directory=tmp_path,
        password=lambda _: password,
        environ=environ or {},
        raw_allowed=raw_allowed,
    )


@pytest.fixture
def entry(tmp_path):
    return new_key(tmp_path, "miner", "pw", scrypt_n=2)


def test_new_key__written__is_private_and_opens_with_its_password(tmp_path, entry):
    path = tmp_path / "miner.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = _load("miner", tmp_path)
    assert Signer(key).address == entry.address
    assert _load(str(path), tmp_path) == key
    assert Account.decrypt(json.loads(path.read_text()), "pw") == key
    assert key.hex() not in path.read_text()


def test_new_key__name_taken__is_never_overwritten(tmp_path, entry):
    before = (tmp_path / "miner.json").read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        new_key(tmp_path, "miner", "pw", scrypt_n=2)
    assert (tmp_path / "miner.json").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_new_key__no_file_name__is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="no file name"):
        new_key(tmp_path, name, "", scrypt_n=2)


def test_list_keys__with_other_files__shows_keys_only(tmp_path, entry):
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    assert list_keys(tmp_path) == [entry]


def test_load_key__hex_file_and_environment__are_read(tmp_path):
    (tmp_path / "raw.txt").write_text(RAW + "\n")
    assert _load(str(tmp_path / "raw.txt"), tmp_path) == b"\x11" * 32
    assert _load("env:KEY", tmp_path, environ={"KEY": RAW}) == b"\x11" * 32


def test_load_key__raw_on_the_command_line__works_on_the_devnet_only(tmp_path):
    assert _load(RAW, tmp_path, raw_allowed=True) == b"\x11" * 32
    with pytest.raises(ConfigError, match=r"\(ps\).*devnet only") as caught:
        _load(RAW, tmp_path)
    assert "1111" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "content", "words"),
    [
        ("nothing", None, "cuckoo keys list"),
        ("env:NOPE", None, "no variable NOPE"),
        ("bad", "hello", "neither a keystore"),
        ("bad", "{}", "neither a keystore"),
        ("bad", '{"crypto": {}}', "no keystore that we can read"),
        ("bad", "0x" + "00" * 32, "no private key"),
        ("bad", "0x" + "ff" * 32, "no private key"),
    ],
)
def test_load_key__what_is_no_key__says_where(tmp_path, reference, content, words):
    if content is not None:
        (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigError, match=words):
        _load(reference, tmp_path)


def test_load_key__wrong_password__says_which_file(tmp_path, entry):
    with pytest.raises(ConfigError, match=r"password does not open .*miner\.json"):
        _load("miner", tmp_path, password="wrong")

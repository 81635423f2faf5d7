"""``cuckoo coordinator keys``, and where ``cuckoo generate`` finds its own key."""

import json
import stat

import pytest

from cuckoo.cli.apikeys import find_api_key
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ConfigError
from cuckoo.storage.keys import Limits, hash_key, open_keys
from cuckoo.storage.usage import Usage, add_usage
from cuckoo.storage.writer import Writer


class Place:
    """What the commands read of a network file."""

    name = "devnet"
    is_devnet = True


@pytest.fixture
def folder(data_dir, monkeypatch):
    monkeypatch.setattr("cuckoo.chain.deployment.read_network", lambda _: Place())
    return data_dir / "devnet" / "coordinator-7"


def test_keys__created_before_the_first_start__are_printed_once_and_listed(cuckoo, folder):
    made = cuckoo("coordinator", "keys", "create", "shop", "--node", 7, "--spend-per-day", "2.5", "--open-tasks", 3)
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("cuckoo_")
    with open_keys(folder) as book:
        (key,) = book.read()
    assert (key.secret_hash, key.limits) == (
        hash_key(secret),
        Limits(requests_per_minute=600, open_tasks=3, spend_per_day_wei=5 * CAI // 2),
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    listed = cuckoo("coordinator", "keys", "list", "--json")
    assert secret not in listed.stdout
    (shown,) = json.loads(listed.stdout)["keys"]
    assert (shown["name"], shown["spend_per_day"], shown["open_tasks"]) == ("shop", "2.5", 3)
    assert shown["usage"] == {"tasks": 0, "pictures": 0, "spent": "0", "spent_today": "0"}
    assert "shop" in cuckoo("coordinator", "keys", "list").stdout


async def test_keys__with_usage__list_shows_it_while_the_role_runs(cuckoo, folder):
    with open_keys(folder) as book:
        _, key = book.create("shop", Limits(), 1.0)
    async with Writer(folder) as writer:
        for _ in range(2):
            await writer.execute(add_usage(key.key_id, Usage(tasks=1, pictures=4, spent_wei=2**70), 1_700_000_000.0))
        shown = read_in_a_thread(cuckoo)
    assert shown["usage"]["tasks"] == 2
    assert shown["usage"]["pictures"] == 8
    assert shown["usage"]["spent"] == "2361.183241434822606848"
    assert shown["usage"]["spent_today"] == "0"


def read_in_a_thread(cuckoo):
    """Run the command where there is no event loop, as a shell does."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(cuckoo, "coordinator", "keys", "list", "--json").result()
    (shown,) = json.loads(result.stdout)["keys"]
    return shown


def test_keys__revoked__says_so(cuckoo, folder):
    cuckoo("coordinator", "keys", "create", "shop", "--node", 7)
    assert cuckoo("coordinator", "keys", "revoke", "shop").exit_code == 0
    (shown,) = json.loads(cuckoo("coordinator", "keys", "list", "--json").stdout)["keys"]
    assert shown["revoked"]
    assert cuckoo("coordinator", "keys", "revoke", "shed").exit_code == 2


def test_keys__which_coordinator__has_to_be_clear(cuckoo, folder):
    none = cuckoo("coordinator", "keys", "list")
    assert (none.exit_code, "--node" in none.stderr) == (2, True)
    for node in (7, 8):
        cuckoo("coordinator", "keys", "create", "shop", "--node", node)
    several = cuckoo("coordinator", "keys", "list")
    assert (several.exit_code, "(7, 8)" in several.stderr) == (2, True)


def test_coordinator__options_before_a_subcommand__are_refused(cuckoo, folder):
    refused = cuckoo("coordinator", "--port", 9000, "keys", "list")
    assert (refused.exit_code, "after keys" in refused.stderr) == (2, True)


def test_api_key__of_an_app__comes_from_file_or_environment_only(tmp_path, monkeypatch):
    monkeypatch.delenv("CUCKOO_API_KEY", raising=False)
    assert find_api_key(None) is None
    monkeypatch.setenv("CUCKOO_API_KEY", "cuckoo_one")
    assert find_api_key(None) == "cuckoo_one"
    monkeypatch.setenv("SHOP_KEY", "cuckoo_two\n")
    assert find_api_key("env:SHOP_KEY") == "cuckoo_two"
    file = tmp_path / "shop.key"
    file.write_text("cuckoo_three\nnot this\n")
    assert find_api_key(str(file)) == "cuckoo_three"
    file.write_text("\n")
    for wrong in ("cuckoo_four", "env:NOT_THERE", str(file), str(tmp_path / "nothing")):
        with pytest.raises(ConfigError, match="read the API key"):
            find_api_key(wrong)

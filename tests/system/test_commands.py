"""Every command as a user types it, in processes of their own, against one chain."""

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal

import pytest
from eth_account import Account
from PIL import Image

from tests.support.processes import ENVIRONMENT, Process, free_port, until

MONTH_S = 30 * 24 * 3600


class Desk:
    """A user's terminal: a data folder, a chain, commands."""

    def __init__(self, folder):
        self.folder = folder
        self.network_file = folder / "networks" / "devnet.json"
        port = free_port()
        self.origin = f"http://127.0.0.1:{port}"
        own = {"CUCKOO_DATA_DIR": str(folder), "CUCKOO_PASSWORD": "a password", "CUCKOO_COORDINATOR_PORT": str(port)}
        self.environment = os.environ | ENVIRONMENT | own
        self.running = []

    def run(self, *arguments):
        """Run a command to its end; returns what it did."""
        command = [sys.executable, "-m", "cuckoo", *map(str, arguments)]
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )

    def json(self, *arguments):
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments, code=2):
        """Run a command that has to fail as an expected error; returns the message."""
        done = self.run(*arguments)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    def start(self, name, *arguments):
        process = Process(name, arguments, self.folder, self.environment).start()
        self.running.append(process)
        return process

    async def chain_is_up(self):
        return self.network_file.exists()

    def rpc(self, method, *parameters):
        network = json.loads(self.network_file.read_bytes())
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(network["rpc_urls"][0], body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["result"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    try:
        yield desk
    finally:
        for process in reversed(desk.running):
            if process.runs:
                process.stop()


async def test_commands__in_the_order_of_the_readme__do_what_they_say(desk):
    desk.start("devnet", "devnet", "--port", "0")
    await until(desk.chain_is_up, what="the local chain")
    address = {name: desk.json("keys", "new", name)["address"] for name in ("alice", "bob", "rig", "server")}
    assert {key["name"]: key["address"] for key in desk.json("keys", "list")} == address
    assert desk.json("keys", "show", "rig")["address"] == address["rig"]
    for name in address:
        desk.json("faucet", name)

    said = desk.refused(
        "stake", "register", "--role", "miner", "--operator", "rig", "--name", "Wren", "--key", "bob", "--yes"
    )
    assert "20,000 CAI" in said
    assert "cuckoo stake deposit" in said
    desk.json("stake", "deposit", "2020000", "--key", "alice")
    of_alice = ("--key", "alice", "--yes")
    nest = ("--role", "coordinator", "--operator", "server", "--name", "Nest", "--url", desk.origin, *of_alice)
    coordinator = desk.json("stake", "register", *nest)["node"]
    miner = desk.json("stake", "register", "--role", "miner", "--operator", "rig", "--name", "Wren", *of_alice)["node"]
    nodes = {node["node"]: node for node in desk.json("stake", "nodes")}
    assert set(nodes) == {coordinator, miner}
    assert nodes[miner]["eligible"] is True

    desk.json("stake", "deposit", "1000.5", "--key", "bob")
    desk.json("stake", "vote", miner, "1000.5", "--key", "bob")
    assert "0 CAI" in desk.refused("stake", "vote", miner, "1", "--key", "bob")
    desk.json("stake", "claim", miner, "--key", "bob")
    desk.json("stake", "unvote", miner, "400.5", "--key", "bob")


async def test_roles__two_in_one_process__a_picture_comes_back_and_ctrl_c_ends_them(desk):
    assert "or run cuckoo miner" in desk.refused("coordinator", "--key", "rig")
    assert "or run cuckoo coordinator" in desk.refused("miner", "--key", "server")
    assert "cuckoo stake register" in desk.refused("miner", "--key", "bob")
    both = desk.start(
        "both", "run", "--role", "coordinator", "--coordinator-key", "server", "--role", "miner", "--miner-key", "rig"
    )
    staker = desk.start("staker", "staker", "--key", "bob")
    await until(lambda: _logged(both, "signed in"), what="the miner to sign in")

    picture = desk.folder / "apple.png"
    wishes = ("a red apple", "-o", picture, "--receipt", "apple.json", "--seed", "7", "--coordinator", desk.origin)
    made = desk.json("generate", *wishes)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert made["seed"] == 7
    assert json.loads((desk.folder / "apple.json").read_bytes())["assignment"]["task_id"] == made["task"]

    checked = desk.json("verify", picture, "--rerun")
    assert {check["name"]: check["state"] for check in checked["checks"]} == dict.fromkeys(
        ("pixels", "assignment", "receipt", "miner's standing", "draw", "coordinator's standing", "rerun"), "right"
    )
    assert desk.json("verify", picture, "--offline")["verdict"] == "unchecked"
    with Image.open(picture) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(desk.folder / "flipped.png")
    assert "loses it" in desk.refused("verify", desk.folder / "flipped.png")
    desk.refused("verify", desk.folder / "flipped.png", "--receipt", "apple.json", code=1)

    again = desk.folder / "again.png"
    desk.json("generate", "a green apple", "--source", picture, "--strength", "0.5", "-o", again, *wishes[-2:])
    desk.refused("verify", again, "--rerun")
    checked = desk.json("verify", again, "--rerun", "--source", picture)
    assert {check["name"]: check["state"] for check in checked["checks"]}["rerun"] == "right"
    assert "other pictures" in desk.refused("verify", again, "--rerun", "--source", again)

    for process in (both, staker):
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(60) == 0
    assert "cuckoo coordinator" in desk.refused("generate", "a pear", "--coordinator", desk.origin, code=1)


async def test_rotation__both_roles_get_new_keys__work_and_money_go_on_and_the_old_keys_are_refused(desk):
    nodes = {row["role"]: row["node"] for row in desk.json("stake", "nodes") if row["eligible"]}
    for role, old, new in (("coordinator", "server", "server-2"), ("miner", "rig", "rig-2")):
        desk.json("keys", "new", new)
        desk.json("faucet", new)
        desk.json("stake", "rotate-operator", nodes[role], "--operator", new, "--key", "alice", "--yes")
        assert "was replaced as operator" in desk.refused(role, "--key", old)
    keys = ("--coordinator-key", "server-2", "--miner-key", "rig-2")
    both = desk.start("rotated", "run", "--role", "coordinator", "--role", "miner", *keys)
    await until(lambda: _logged(both, "signed in"), what="the miner to sign in with its new key")
    picture = desk.folder / "pear.png"
    desk.json("generate", "a pear", "-o", picture, "--coordinator", desk.origin)
    assert desk.json("verify", picture)["verdict"] == "right"
    before = desk.json("verify", desk.folder / "apple.png")
    assert {check["name"]: check["state"] for check in before["checks"]}["receipt"] == "right"
    both.popen.send_signal(signal.SIGINT)
    assert both.popen.wait(60) == 0


def test_raw_key__on_the_devnet_only__elsewhere_refused_with_the_reason(desk, tmp_path):
    key = secrets.token_bytes(32)
    raw = key.hex()
    assert desk.json("faucet", Account.from_key(key).address, "--key", raw)
    network = json.loads(desk.network_file.read_bytes())
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps(network | {"name": "elsewhere", "chain_id": 1}))
    said = desk.refused("stake", "deposit", "1", "--key", raw, "--network", elsewhere)
    assert "cuckoo keys new" in said or "env:" in said
    assert raw not in said


def test_release_and_withdraw__after_the_unbonding_time__stake_is_back_in_the_wallet(desk):
    # The last test: after it the chain's clock is a month ahead.
    desk.rpc("evm_increaseTime", MONTH_S)
    desk.rpc("evm_mine")
    desk.json("stake", "release", "--key", "bob")
    wallet = Decimal(desk.json("stake", "status", "bob")["wallet"])
    desk.json("stake", "withdraw", "400.5", "--key", "bob")
    status = desk.json("stake", "status", "bob")
    assert Decimal(status["wallet"]) == wallet + Decimal("400.5")
    assert status["idle"] == "0"


async def _logged(process, event):
    return any(entry.get("event") == event for entry in process.logged())

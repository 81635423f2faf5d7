"""What apps asked a real coordinator for, as miners read it."""

import asyncio
import contextlib
import json

import pytest
from click.testing import CliRunner

from cuckoo.cli.demand import merge
from cuckoo.cli.main import cli
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.pricing import Rates
from cuckoo.protocol.messages import TaskRequest
from tests.support.coordinating import MODEL, ScriptedMiner, app, running


async def asked_for(coordinator, *models, **more):
    async with app(coordinator) as client:
        for model in models:
            with contextlib.suppress(InvalidField):
                await client.submit(TaskRequest(prompt="a red apple", model=model, **more))


async def test_demand__over_http__names_models_prices_and_miners(tmp_path):
    async with running(tmp_path, rates=Rates(default=Wei(10**18))) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        await asked_for(coordinator, "tiny", "", "org/wanted")
        await asked_for(coordinator, "tiny", width_px=512, height_px=512)
        async with app(coordinator) as client:
            view = await client.demand()
        await miner.client.close()
    known, unknown = view.models
    assert (known.model, known.day, known.refused_day, known.miners, known.waiting) == ("tiny", 3, 1, 1, 2)
    assert known.price_least_wei == known.price_most_wei == 64 * 64 * 4 * CAI // 10**6
    assert (unknown.model, unknown.day, unknown.refused_hour, unknown.miners) == ("org/wanted", 1, 1, 0)


async def test_command__one_coordinator__prints_json_and_a_table(tmp_path):
    def call(*more):
        return CliRunner().invoke(cli, ["miner", "demand", "--coordinator", coordinator.origin, *more])

    async with running(tmp_path, rates=Rates(default=Wei(10**18))) as coordinator:
        await asked_for(coordinator, "tiny", "org/wanted")
        as_json, table = await asyncio.to_thread(call, "--json"), await asyncio.to_thread(call)
    assert (as_json.exit_code, table.exit_code) == (0, 0), as_json.output + table.output
    found = json.loads(as_json.stdout)
    assert [(row["model"], row["asked_hour"], row["miners"]) for row in found["models"]] == [
        ("org/wanted", 1, 0),
        ("tiny", 1, 0),
    ]
    assert found["models"][1]["price_least"] == "0.016384"
    assert found["coordinators"][0]["node"] == 1
    assert "nobody knows it" in table.stdout
    assert "served by nobody now: org/wanted, tiny" in table.stderr


async def test_command__coordinator_that_is_away__says_so_with_exit_code_1():
    result = await asyncio.to_thread(
        CliRunner().invoke, cli, ["miner", "demand", "--coordinator", "http://127.0.0.1:9"]
    )
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.stderr


@pytest.mark.parametrize("name", ["tiny", MODEL.digest])
async def test_merge__two_coordinators__adds_up_what_they_were_asked(tmp_path, name):
    views = []
    for number, wei in enumerate((1, 3)):
        async with running(tmp_path / str(number), rates=Rates(default=Wei(wei * 10**18))) as coordinator:
            await asked_for(coordinator, name)
            async with app(coordinator) as client:
                views.append(await client.demand())
    (row,) = merge(views)
    assert (row["model"], row["asked_day"], row["coordinators"]) == ("tiny", 2, 2)
    assert (row["rate_least"], row["rate_most"]) == ("1", "3")

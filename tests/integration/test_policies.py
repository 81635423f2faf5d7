"""What an operator decides: which pages may call, and what is not drawn."""

import aiohttp
import pytest
from msgspec.structs import replace

from tests.support.coordinating import SETTINGS, running

SHOP = "https://shop.example"
ASK = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.mark.parametrize(
    ("origins", "told"), [((SHOP,), SHOP), (("*",), "*"), (("https://other.example",), None), ((), None)]
)
async def test_cors__page_of_another_address__is_let_in_where_the_operator_says_so(tmp_path, origins, told):
    async with (
        running(tmp_path, settings=replace(SETTINGS, cors_origins=origins)) as coordinator,
        aiohttp.ClientSession() as session,
    ):
        async with session.options(f"{coordinator.origin}/v1/tasks", headers=ASK) as answer:
            assert answer.status == (204 if told else 405)
            assert answer.headers.get("Access-Control-Allow-Origin") == told
        async with session.get(f"{coordinator.origin}/v1/tasks/00", headers={"Origin": SHOP}) as answer:
            assert answer.status == 422
            assert answer.headers.get("Access-Control-Allow-Origin") == told
            assert answer.headers.get("Vary") == ("Origin" if origins else None)
        async with session.post(f"{coordinator.origin}/miner/v1/poll", headers={"Origin": SHOP}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("prompt", ["a Forbidden Thing", "forbidden thing", "the\nFORBIDDEN THING!"])
async def test_blocked__prompt_with_a_term__is_refused_by_its_own_name(tmp_path, prompt):
    async with (
        running(tmp_path, settings=replace(SETTINGS, blocked_terms=("forbidden thing",))) as coordinator,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(f"{coordinator.origin}/v1/tasks", json={"prompt": prompt}) as answer:
            assert answer.status == 422
            said = await answer.json()
            assert (said["code"], said["field"]) == ("blocked_term", "prompt")
        async with session.post(f"{coordinator.origin}/v1/images/generations", json={"prompt": prompt}) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "moderation_blocked"
        async with session.post(
            f"{coordinator.origin}/v1/batches", json={"tasks": [{"prompt": "a pear"}, {"prompt": prompt}]}
        ) as answer:
            assert answer.status == 422
        async with session.post(f"{coordinator.origin}/v1/tasks", json={"prompt": "a thing"}) as answer:
            assert answer.status == 201

"""What apps ask for is counted by model, over an hour and a day, whatever they write into the field."""

import pytest

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.pricing import Rates
from cuckoo.protocol.messages import TaskRequest
from cuckoo.scheduler.state import State
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.demand import DAY_SLICES, HOUR_SLICES, SLICE_S, UNKNOWN_PER_SLICE, Demand
from tests.support.coordinating import MODEL, OFFER


class Clock:
    time = 1_000_000.0 * SLICE_S

    def now(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def catalogue():
    return Catalogue([MODEL], Rates(default=7))


@pytest.fixture
def demand(clock):
    return Demand(clock)


def shown(demand, catalogue):
    return demand.view(NodeId(1), catalogue, State())


def refuse(demand, catalogue, model, field="model"):
    demand.refused(TaskRequest(prompt="a duck", model=model), InvalidField(field, model, "no"), catalogue)


def test_tasks__taken_in__are_counted_with_their_prices_and_miners(demand, catalogue):
    catalogue.sign_in(NodeId(2), (OFFER,))
    for price_wei in (30, 10, 20):
        demand.taken_in(MODEL.digest, price_wei)
    (one,) = shown(demand, catalogue).models
    assert (one.model, one.digest, one.hour, one.day, one.refused_day) == ("tiny", MODEL.digest, 3, 3, 0)
    assert (one.price_least_wei, one.price_most_wei, one.rate_wei, one.miners) == (10, 30, 7, 1)


def test_hour_and_day__pass__what_is_older_is_forgotten(demand, clock, catalogue):
    demand.taken_in(MODEL.digest, 10)
    clock.time += HOUR_SLICES * SLICE_S
    demand.taken_in(MODEL.digest, 30)
    (one,) = shown(demand, catalogue).models
    assert (one.hour, one.day, one.price_least_wei) == (1, 2, 10)
    clock.time += (DAY_SLICES - HOUR_SLICES) * SLICE_S
    (one,) = shown(demand, catalogue).models
    assert (one.hour, one.day, one.price_least_wei) == (0, 1, 30)
    assert shown(demand, catalogue).since == clock.time - (DAY_SLICES - 1) * SLICE_S


def test_model__that_nobody_knows__is_listed_without_miners(demand, catalogue):
    refuse(demand, catalogue, "org/big-model")
    (one,) = shown(demand, catalogue).models
    assert (one.model, one.digest, one.refused_hour, one.miners, one.rate_wei) == ("org/big-model", None, 1, 0, None)


def test_size__that_no_miner_takes__counts_for_its_model(demand, catalogue):
    refuse(demand, catalogue, "tiny", "width_px x height_px")
    refuse(demand, catalogue, "tiny", "seed")
    (one,) = shown(demand, catalogue).models
    assert (one.digest, one.day, one.refused_day, one.price_most_wei) == (MODEL.digest, 1, 1, None)


@pytest.mark.parametrize(
    "name", ["", "x" * 97, "\x1b[31mred", "buy at http://shop example", "\u202eevil", "a\nb", "\uff46ull"]
)
def test_names__that_are_none__are_counted_and_not_shown(demand, catalogue, name):
    refuse(demand, catalogue, name)
    assert shown(demand, catalogue).models == ()
    assert shown(demand, catalogue).other_names == 1


def test_names__too_many__neither_fill_the_memory_nor_hide_known_models(demand, catalogue):
    demand.taken_in(MODEL.digest, 10)
    for number in range(1_000):
        refuse(demand, catalogue, f"name-{number}")
        refuse(demand, catalogue, "name-0")
    view = shown(demand, catalogue)
    assert len(view.models) == 1 + UNKNOWN_PER_SLICE
    assert view.other_names == 1_000 - UNKNOWN_PER_SLICE
    assert {one.model for one in view.models} >= {"tiny", "name-0"}


def test_model_that_miners_brought__nobody_serves_any_more__has_no_miners(demand, catalogue):
    brought = ModelDigest("cd" * 32)
    catalogue.sign_in(NodeId(2), (type(OFFER)(digest=brought, name="x", max_pixels=4_096, max_steps=10),))
    demand.taken_in(brought, 5)
    catalogue.sign_out(NodeId(2))
    (one,) = shown(demand, catalogue).models
    assert (one.model, one.miners) == (brought, 0)

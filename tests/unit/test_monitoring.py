"""What is ready to be loaded by others names what we really have."""

import configparser
import json
import re
from pathlib import Path

import pytest

from cuckoo.cli.main import TOPICS
from cuckoo.runtime.metrics import CoordinatorMetrics, MinerMetrics

CONFIG = Path(__file__).resolve().parents[2] / "config"
NAMES = re.compile(r"\bcuckoo_[a-z_]+")


def known():
    metrics = CoordinatorMetrics()
    metrics.warn({}, {"wallet_low": ""})
    metrics.ended("done", 0)
    text = (metrics.render() + MinerMetrics().render()).decode()
    families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    return families | {f"{name}_bucket" for name in families}


def test_dashboard__every_metric__exists_and_each_panel_has_its_place():
    board = json.loads((CONFIG / "monitoring" / "grafana.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert set(NAMES.findall(" ".join(queries))) <= known()
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


def test_dashboard__every_metric_that_there_is__is_shown():
    text = (CONFIG / "monitoring" / "grafana.json").read_text()
    hidden = {name for name in known() if not name.endswith(("_created", "_bucket")) and name not in text}
    assert hidden <= {"cuckoo_tasks_accepted_total"}


def test_alerts__every_metric__exists():
    text = (CONFIG / "monitoring" / "alerts.yml").read_text()
    rules = re.findall(r"expr: (.*?)\n\s+(?:for|labels):", text, re.DOTALL)
    assert len(rules) == text.count("alert: ")
    assert set(NAMES.findall(" ".join(rules))) <= known()


@pytest.mark.parametrize("role", ["coordinator", "miner"])
def test_unit__of_each_role__runs_a_command_that_there_is(role):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(CONFIG / "systemd" / f"cuckoo-{role}.service")
    _, command, *_ = unit["Service"]["ExecStart"].split()
    assert command == role
    assert any(command in commands for commands in TOPICS.values())
    assert unit["Service"]["Restart"] == "always"

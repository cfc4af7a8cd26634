"""cluster.yaml, checked offline: by Ray's own validator, and by AWS's own model of what it launches."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config

from lp_ray import __version__

REPOSITORY = Path(__file__).resolve().parents[2]

Config = dict[str, Any]


@pytest.fixture
def config() -> Config:
    loaded: Config = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())
    return loaded


def validate(config: Config) -> Config:
    """Do what `ray up` does before it calls AWS, and return the whole configuration."""
    prepared: Config = prepare_config(config)
    validate_config(prepared)
    return prepared


def launch_problems(node_config: Config) -> list[str]:
    """Say what EC2's RunInstances would not take: names, kinds, and values of closed lists."""
    model = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    report = ParamValidator().validate({**node_config, "MinCount": 1, "MaxCount": 1}, model)
    return [*filter(None, [report.generate_report()]), *_outside_lists(node_config, model, "")]


def _outside_lists(value: Any, shape: Any, where: str) -> list[str]:
    if shape.type_name == "structure":
        known = [name for name in value if name in shape.members]
        return [p for name in known for p in _outside_lists(value[name], shape.members[name], f"{where}.{name}")]
    if shape.type_name == "list":
        return [p for item in value for p in _outside_lists(item, shape.member, where)]
    closed = getattr(shape, "enum", [])
    return [f"{where}: {value} is none of AWS's"] if closed and value not in closed else []


def test_rays_validator_takes_it(config: Config) -> None:
    prepared = validate(config)
    assert set(prepared["available_node_types"]) == set(config["available_node_types"])


def _set(*path: str, to: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        node = config
        for name in path[:-1]:
            node = node[name]
        node[path[-1]] = to

    return change


TYPES = "available_node_types"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("max_workers", to="many"), "'many' is not of type 'integer'"),
        (_set("idle_timeout_minutes", to=-1), "-1 is less than the minimum"),
        (_set("idle_timeout_minute", to=5), "'idle_timeout_minute' was unexpected"),
        (_set("provider", "type", to="awz"), "Unsupported node provider: awz"),
        (_set("head_node_type", to="boss"), "`head_node_type` must be one of `available_node_types`"),
        (_set("docker", "container_name", to=None), "Must provide a container & image name"),
        (_set("docker", "imago", to="x"), "'imago' was unexpected"),
        (_set("auth", "ssh_users", to="x"), "'ssh_users' was unexpected"),
        (_set(TYPES, "gpu-spot", "resources", "GPU", to=0.5), "0.5 is not of type 'integer'"),
        (_set(TYPES, "gpu-spot", "min_worker", to=0), "'min_worker' was unexpected"),
        (_set(TYPES, "cpu-spot", "min_workers", to=99), "smaller than the sum of `min_workers`"),
        (_set(TYPES, "gpu-demand", "priority", to="low"), "'low' is not of type 'integer'"),
        (_set("setup_commands", to="python"), "can only concatenate str"),
    ],
)
def test_one_wrong_value_is_refused(config: Config, change: Callable[[Config], None], reason: str) -> None:
    """Ray's validator says what is wrong, for each of these edits alone."""
    change(config)
    with pytest.raises(Exception, match=reason):
        validate(config)


def test_ec2_knows_what_is_launched(config: Config) -> None:
    for name, node_type in config[TYPES].items():
        assert launch_problems(node_type["node_config"]) == [], name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("InstanceType", to="g6.2xlarg"), "g6.2xlarg is none of AWS's"),
        (_set("InstanceMarketOptions", "MarketType", to="spto"), "spto is none of AWS's"),
        (_set("IamInstanceProfil", to={}), 'Unknown parameter in input: "IamInstanceProfil"'),
        (_set("BlockDeviceMappings", to={"DeviceName": "/dev/sda1"}), "Invalid type for parameter BlockDeviceMappings"),
    ],
)
def test_a_wrong_launch_is_seen(config: Config, change: Callable[[Config], None], reason: str) -> None:
    node_config = config[TYPES]["gpu-spot"]["node_config"]
    change(node_config)
    assert any(reason in problem for problem in launch_problems(node_config)), launch_problems(node_config)


def test_pools_are_what_the_file_says(config: Config) -> None:
    """A head without GPU or actors; all pools from zero; spot first, the same machine on demand after it."""
    types = config[TYPES]
    assert types["head"]["resources"] == {"CPU": 0}
    assert all(node_type["min_workers"] == 0 for node_type in types.values())
    for pool, has_gpu in (("cpu", False), ("gpu", True)):
        spot, demand = types[f"{pool}-spot"], types[f"{pool}-demand"]
        assert ("GPU" in spot["resources"]) is has_gpu
        assert spot["resources"] == demand["resources"]
        assert spot["priority"] > demand["priority"]
        market = spot["node_config"].pop("InstanceMarketOptions")
        assert market == {"MarketType": "spot"}
        assert spot["node_config"] == demand["node_config"]


def test_image_is_this_version(config: Config) -> None:
    assert config["docker"]["image"].rpartition(":")[2] == __version__


def test_token_authentication_is_on(config: Config) -> None:
    """Every container has the mode and a token file, and the dashboard is not open to the network."""
    options = " ".join(config["docker"]["run_options"])
    path = re.search(r"RAY_AUTH_TOKEN_PATH=(\S+)", options)
    assert "RAY_AUTH_MODE=token" in options
    assert path is not None and path[1] in config["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in " ".join(config["head_start_ray_commands"])

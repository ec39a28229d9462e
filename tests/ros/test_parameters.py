# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters are the configuration tree: names, types, ranges, and changes while running."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from ineus_core.config import Config
from ineus_core.config_model import ConfigModel, walk
from ineus_core.errors import ConfigError

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node
from rclpy.parameter import Parameter

from ineus_ros.parameters import ParameterChanges, declare_parameters

pytestmark = pytest.mark.ros


class Part(ConfigModel):
    size: int = Field(4, gt=2, le=9, description="How large.")
    weight_kg: float = Field(
        1.5, ge=0, description="How heavy.", json_schema_extra={"changeable": True}
    )


class Tree(ConfigModel):
    part: Part = Part()
    names: tuple[str, ...] = Field(("a", "b"), description="Names.")
    box: tuple[float, ...] = Field((), description="A box, or nothing.")


def make_node(**options: Any) -> Node:
    return Node("ineus", automatically_declare_parameters_from_overrides=True, **options)


@pytest.fixture
def node(ros: Callable[..., Node]) -> Callable[..., Node]:
    def make(*parameters: str) -> Node:
        return ros(make_node, [word for item in parameters for word in ("-p", item)])

    return make


@pytest.mark.parametrize("former", ["source.max_depth_m", "keyframes.max_depth_m"])
def test_a_parameter_that_has_moved_is_taken_under_its_present_name(
    node: Callable[..., Node], former: str
) -> None:
    made = node(f"{former}:=4.0")
    assert declare_parameters(made, Config).depth.max_m == 4.0
    assert made.get_parameter("depth.max_m").value == 4.0
    assert not made.has_parameter(former)


def test_a_parameter_that_says_nothing_any_more_is_left_out(node: Callable[..., Node]) -> None:
    made = node("pipeline.queue_frames:=16", "pipeline.mesh_rate_hz:=2.0")
    config = declare_parameters(made, Config)
    assert config.pipeline == Config().pipeline.model_copy(update={"mesh_rate_hz": 2.0})
    assert not made.has_parameter("pipeline.queue_frames")


def test_a_former_and_the_present_name_at_once_are_refused(node: Callable[..., Node]) -> None:
    made = node("keyframes.max_depth_m:=4.0", "depth.max_m:=4.0")
    with pytest.raises(ConfigError, match=r"keyframes\.max_depth_m is the former name of depth"):
        declare_parameters(made, Config)


def test_overrides_of_any_depth_reach_the_tree_and_whole_numbers_serve_as_floats(
    node: Callable[..., Node],
) -> None:
    made = node("part.weight_kg:=2", "names:=[x]", "box:=[0.0, 1.0]")
    config = declare_parameters(made, Tree)
    assert config == Tree(part=Part(weight_kg=2.0), names=("x",), box=(0.0, 1.0))
    assert made.get_parameter("part.weight_kg").value == 2.0
    assert made.get_parameter("part.size").value == 4


def test_descriptions_and_ranges_come_from_the_fields(node: Callable[..., Node]) -> None:
    made = node()
    declare_parameters(made, Tree)
    size = made.describe_parameter("part.size")
    assert size.description == "How large."
    assert (size.integer_range[0].from_value, size.integer_range[0].to_value) == (3, 9)
    weight = made.describe_parameter("part.weight_kg")
    assert weight.floating_point_range[0].from_value == 0.0
    assert "run time" in weight.additional_constraints


def test_an_unknown_name_is_refused_with_the_nearest_one(node: Callable[..., Node]) -> None:
    with pytest.raises(ConfigError, match=r"part\.wieght_kg.*'part\.weight_kg'"):
        declare_parameters(node("part.wieght_kg:=2.0"), Tree)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [("part.size:=2", "part.size is 2"), ("part.size:=x", "part.size is 'x'")],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    node: Callable[..., Node], parameter: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        declare_parameters(node(parameter), Tree)


def test_only_what_says_so_changes_at_run_time(node: Callable[..., Node]) -> None:
    made = node()
    changes = ParameterChanges(made, declare_parameters(made, Tree))
    (done,) = made.set_parameters([Parameter("part.weight_kg", value=3.0)])
    assert done.successful and changes.config.part.weight_kg == 3.0
    (refused,) = made.set_parameters([Parameter("part.size", value=5)])
    assert not refused.successful and "restart" in refused.reason
    (refused,) = made.set_parameters([Parameter("part.weight_kg", value=-1.0)])
    assert not refused.successful
    assert changes.config.part == Part(weight_kg=3.0)


def test_the_default_parameter_file_is_accepted(ros: Callable[..., Node]) -> None:
    path = Path(__file__).parents[2] / "config" / "default.yaml"
    made = ros(make_node, ["--params-file", str(path)])
    assert declare_parameters(made, Config) == Config()


def test_the_whole_configuration_can_be_declared_and_read_back(node: Callable[..., Node]) -> None:
    made = node("use_sim_time:=true", "meshing.voxel_size_m:=0.5", "device:=cpu")
    config = declare_parameters(made, Config)
    assert config.meshing.voxel_size_m == 0.5 and config.device == "cpu"
    for name, field in walk(Config):
        assert made.has_parameter(name)
        assert field.description, f"{name} has no description"


@pytest.mark.parametrize("former", ["sync_queue_size", "awaiting_pose_size"])
def test_queues_that_became_one_are_set_by_their_former_names(
    node: Callable[..., Node], former: str
) -> None:
    made = node(f"{former}:=17")
    assert declare_parameters(made, Config).input_queue_size == 17
    assert made.get_parameter("input_queue_size").value == 17
    assert not made.has_parameter(former)


def test_both_former_names_of_a_queue_give_the_larger_one(node: Callable[..., Node]) -> None:
    made = node("sync_queue_size:=30", "awaiting_pose_size:=90")
    assert declare_parameters(made, Config).input_queue_size == 90


def test_names_of_the_reconstruction_are_taken_beside_those_of_the_node() -> None:
    given = {"sync_queue_size": 17, "placement": {"near_m": 0.25}}
    config = Config.model_validate(given)
    assert config.input_queue_size == 17 and config.ray_sampling.near_m == 0.25

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file starts what its arguments say; the files beside it can be read."""

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, get_args
from xml.etree import ElementTree

import pytest

from ineus_core.config import Config, load_config
from ineus_core.ros_config import PoseSource

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_every_overlay_is_a_configuration(path: Path) -> None:
    assert isinstance(load_config(path), Config)


@pytest.mark.ros
@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_every_overlay_is_a_parameter_file_of_the_node(path: Path, ros: Any) -> None:
    from rclpy.node import Node

    from ineus_ros.parameters import declare_parameters

    node = ros(
        lambda context: Node(
            "ineus", context=context, automatically_declare_parameters_from_overrides=True
        ),
        ["--params-file", str(path)],
    )
    assert declare_parameters(node, Config) == load_config(path)


def test_the_dds_profile_holds_an_image_of_full_hd() -> None:
    tree = ElementTree.parse(ROOT / "config" / "dds_large_messages.xml")
    size = tree.find(".//{*}segment_size")
    assert size is not None and int(str(size.text)) > 3 * 1920 * 1080


def load(name: str) -> ModuleType:
    pytest.importorskip(
        "launch.actions", reason="needs launch, which comes with a ROS distribution"
    )
    path = ROOT / "launch" / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def launch_file() -> ModuleType:
    pytest.importorskip("launch_ros", reason="needs launch_ros")
    return load("reconstruct")


@pytest.fixture
def evaluation() -> ModuleType:
    return load("evaluate")


def test_every_argument_of_the_launch_file_is_described(launch_file: ModuleType) -> None:
    from launch.actions import DeclareLaunchArgument

    entities = launch_file.generate_launch_description().entities
    arguments = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
    assert len(arguments) == len(launch_file.ARGUMENTS)
    assert all(argument.description for argument in arguments)


def test_the_parameters_of_the_launch_file_are_in_the_tree(launch_file: ModuleType) -> None:
    names = {*launch_file.STRINGS, *launch_file.BOOLEANS} - {"use_sim_time"}
    assert names <= set(Config.model_fields)


def test_the_pose_sources_of_the_launch_file_are_those_of_the_node(
    launch_file: ModuleType,
) -> None:
    assert set(launch_file.POSE_SOURCES) == set(get_args(PoseSource))


def test_a_camera_and_a_bag_become_a_node_and_a_player(launch_file: ModuleType) -> None:
    from launch import LaunchContext

    context = LaunchContext()
    defaults = {name: default for name, default, *_ in launch_file.ARGUMENTS}
    context.launch_configurations.update(defaults | {"camera": "realsense"})
    (node,) = launch_file.start(context)
    context.launch_configurations.update({"camera": "none", "bag": "walk.mcap", "loop": "true"})
    bag_node, player = launch_file.start(context)
    words = ["".join(part.text for part in word) for word in player.cmd]
    assert words[words.index("bag") : words.index("bag") + 3] == ["bag", "play", "walk.mcap"]
    assert {"--clock", "--loop", "--wait-subscribers"} <= set(words)
    assert type(node) is type(bag_node)


def test_rviz_stands_in_the_namespace_of_the_node(launch_file: ModuleType) -> None:
    from launch import LaunchContext

    context = LaunchContext()
    defaults = {name: default for name, default, *_ in launch_file.ARGUMENTS}
    given = {"namespace": "robot", "rviz": "true", "global_frame": "map"}
    context.launch_configurations.update(defaults | given)
    node, rviz = launch_file.start(context)
    for started in (node, rviz):
        assert started._Node__node_namespace == "robot"
        assert "/tf" in [pair[0][0].text for pair in started._Node__remappings]
    assert rviz._Node__arguments[-2:] == ["-f", "map"]


def test_tf_follows_the_namespace_but_not_with_a_bag(launch_file: ModuleType) -> None:
    from launch import LaunchContext

    defaults = {name: default for name, default, *_ in launch_file.ARGUMENTS}
    found = []
    for bag in ("", "walk.mcap"):
        context = LaunchContext()
        given = {"namespace": "robot", "bag": bag}
        context.launch_configurations.update(defaults | given)
        node = launch_file.start(context)[0]
        names = [pair[0][0].text for pair in node._Node__remappings]
        found.append("/tf" in names)
    assert found == [True, False]


def test_what_was_given_reaches_the_node_as_its_type(launch_file: ModuleType) -> None:
    from launch_ros.utilities import evaluate_parameters

    from launch import LaunchContext

    context = LaunchContext()
    defaults = {name: default for name, default, *_ in launch_file.ARGUMENTS}
    given = {"save_on_shutdown": "true", "device": "cpu", "autostart": "false"}
    context.launch_configurations.update(defaults | given)
    (node,) = launch_file.start(context)
    (values,) = evaluate_parameters(context, node._Node__parameters)
    expected = {"save_on_shutdown": True, "device": "cpu", "autostart": False, "reliable": False}
    assert {name: values[name] for name in expected} == expected


def test_an_evaluation_runs_what_the_command_line_knows(
    evaluation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    defaults = {name: default for name, default, *_ in evaluation.ARGUMENTS}
    given = defaults | {"bag": "a b.mcap", "out": "o", "arguments": "--set 'output_dir=x y'"}
    (run,) = evaluation.commands(given)
    assert run[:5] == ["ineus", "run", "a b.mcap", "--out", "o"]
    assert run[-2:] == ["--set", "output_dir=x y"]
    options = [word for word in run if word.startswith("--")]
    known = {
        f"--{name.replace('_', '-')}"
        for name in inspect.signature(evaluation_command()).parameters
    } | {"--set"}
    assert set(options) <= known
    _, compare = evaluation.commands(given | {"reference": "truth.ply"})
    assert compare == ["ineus", "eval", "o", "--reference", "truth.ply"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert evaluation.commands(given)[0][:4] == ["ros2", "run", "ineus_ros", "ineus"]


def evaluation_command() -> Any:
    from ineus_core.cli import run

    return run.command


def test_every_argument_of_an_evaluation_is_described(evaluation: ModuleType) -> None:
    from launch.actions import DeclareLaunchArgument

    entities = evaluation.generate_launch_description().entities
    arguments = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
    assert arguments[0].name == "bag"
    assert arguments[0].default_value is None
    assert all(argument.description for argument in arguments)

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration: files, overrides, and messages that name what is wrong."""

from pathlib import Path

import pytest
import torch

from ineus_core.cli.config import as_yaml
from ineus_core.config import (
    SHARED_WITH_BAGS,
    Config,
    config_from_tree,
    load_config,
    resolve_device,
)
from ineus_core.config_model import walk
from ineus_core.errors import ConfigError
from ineus_core.sources import RosbagConfig

SEED = Path(__file__).parents[1] / "config" / "seed"


def load(tmp_path: Path, text: str, *overrides: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def test_nothing_is_the_default() -> None:
    assert load_config() == Config()


def test_a_bare_tree(tmp_path: Path) -> None:
    config = load(tmp_path, "seed: 3\nmeshing:\n  voxel_size_m: 0.05\n")
    assert (config.seed, config.meshing.voxel_size_m) == (3, 0.05)
    assert config.keyframes == Config().keyframes


@pytest.mark.parametrize("node", ["/**", "ineus", "/ineus"])
def test_a_ros_parameter_file(tmp_path: Path, node: str) -> None:
    text = f"{node}:\n  ros__parameters:\n    use_sim_time: true\n    meshing:\n"
    config = load(tmp_path, text + "      voxel_size_m: 0.05\n    keyframes.capacity: 9\n")
    assert (config.meshing.voxel_size_m, config.keyframes.capacity) == (0.05, 9)


@pytest.mark.parametrize("text", ["", "# nothing\n", "/**:\n  ros__parameters:\n"])
def test_an_empty_file_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Config()


def test_overrides_win_and_have_types(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "meshing: {voxel_size_m: 0.05}\n",
        "meshing.voxel_size_m=1e-1",
        "device=cpu",
        "bounds.aabb=[0, 0, 0, 1, 1, 1]",
    )
    assert config.meshing.voxel_size_m == 0.1
    assert config.device == "cpu"
    assert config.bounds.aabb == (0, 0, 0, 1, 1, 1)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("meshing.voxel_sise_m=0.1", ["meshing.voxel_sise_m", "meshing.voxel_size_m"]),
        ("meshin.voxel_size_m=0.1", ["meshin", "meshing"]),
        ("voxel_size_m=0.1", ["voxel_size_m", "meshing.voxel_size_m"]),
        ("meshing.voxel_size_m=small", ["meshing.voxel_size_m", "'small'", "number"]),
        ("meshing.voxel_size_m=-1", ["meshing.voxel_size_m", "-1", "greater than or equal to 0"]),
        ("meshing.voxel_size_m=.nan", ["meshing.voxel_size_m", "finite"]),
        ("keyframes.capacity=2.5", ["keyframes.capacity", "2.5", "integer"]),
        ("field.backend=jax", ["field.backend", "'jax'", "torch"]),
        ("field=3", ["field", "3"]),
        ("seed", ["'seed'", "KEY.KEY=VALUE"]),
        ("=3", ["'=3'"]),
        ("seed=[1", ["'seed=[1'", "YAML"]),
        ("seed.a=1", ["seed", "integer"]),
        ("device=tpu", ["device", "'tpu'"]),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[override])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "override",
    [
        "seed=2020-13-45",
        "seed=2020-02-03",
        "seed=!!int abc",
        "seed=!!float abc",
        "seed=!!bool abc",
        "seed=!!timestamp abc",
        "seed=!!binary abc",
        f"seed={2**64}",
        f"seed={10**400}",
        f"seed={'9' * 5000}",
        f"seed={'[' * 5000}{']' * 5000}",
        f"seed{'.a' * 5000}=1",
        f"{'k' * 5000}=1",
        "bounds.aabb=[0, 0, 0, 1, 1]",
        "bounds.aabb=[0, 0, 0, 1, 1, 0]",
        "bounds.aabb=[0, 0, 0, 1, 1, .nan]",
    ],
)
def test_values_that_python_itself_would_stumble_over(override: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[override])
    assert len(str(error.value)) < 1000


def aliases_of_nine(levels: int) -> str:
    """Make each level nine times the one before: 9 ** levels values when written out."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        aliases_of_nine(9),
        "a0: &a0 {x: 1}\nseed:\n  <<: [" + "*a0, " * 200_000 + "*a0]",
        "seed: " + "[" * 5000 + "]" * 5000,
        "seed: &a [*a]",
        "seed: *nowhere",
    ],
)
def test_files_that_would_fill_stack_or_memory(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml cannot be read as YAML") as error:
        load(tmp_path, text)
    assert len(str(error.value)) < 1000


def test_an_alias_may_stand_for_a_section(tmp_path: Path) -> None:
    text = "bounds: {aabb: &box [0, 0, 0, 1, 1, 1]}\nseed: &n 4\nkeyframes: {capacity: *n}\n"
    assert load(tmp_path, text).keyframes.capacity == 4
    with pytest.raises(ConfigError, match=r"seed = \[0, 0, 0, 1, 1, 1\]"):
        load(tmp_path, "bounds: {aabb: &box [0, 0, 0, 1, 1, 1]}\nseed: *box\n")


def test_a_section_under_a_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed is a value"):
        load(tmp_path, "seed: 3\n", "seed.a=1")


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        load_config(overrides=["seed=-1", "keyframes.capacity=0"])
    assert "seed" in str(error.value)
    assert "keyframes.capacity" in str(error.value)


@pytest.mark.parametrize(
    "text", ["a: [1", "- 1\n- 2\n", "just words", "/**:\n  ros__parameters: 3\n", "\x00"]
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file"):
        load_config(tmp_path / "none.yaml")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        load_config(tmp_path)


def test_a_bag_heeds_what_was_said_to_the_node_unless_it_is_told_otherwise() -> None:
    config = config_from_tree(
        {
            "cameras": ["front", "rear"],
            "global_frame": "map",
            "depth_input": "none",
            "source": {"rosbag": {"global_frame": "world"}},
        }
    )
    bag = config.told_source.rosbag
    assert (bag.cameras, bag.global_frame) == (("front", "rear"), "world")
    assert bag.depth_topic == "none" and config.source.rosbag.cameras == ()
    # What nobody has said stays open: a bag may find a better world than the default.
    assert "global_frame" not in config_from_tree({}).told_source.rosbag.model_fields_set


def test_keys_that_node_and_bags_share_mean_the_same() -> None:
    for name in SHARED_WITH_BAGS:
        assert name in Config.model_fields and name in RosbagConfig.model_fields, name


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 4  # type: ignore[misc]


FORMER_LIMITS = ("source.max_depth_m", "keyframes.max_depth_m", "bounds.max_depth_m")


@pytest.mark.parametrize("former", FORMER_LIMITS)
def test_a_key_that_has_moved_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, former: str
) -> None:
    section, key = former.split(".")
    assert load_config(overrides=[f"{former}=4"]).depth.max_m == 4.0
    config = load(tmp_path, f"{section}: {{{key}: 4}}\nkeyframes: {{capacity: 9}}\n")
    if section != "keyframes":
        assert config.keyframes.capacity == 9
    nested = load(tmp_path, f"/**:\n  ros__parameters:\n    {former}: 4.0\n")
    assert nested.depth == load_config(overrides=["depth.max_m=4"]).depth
    said = f"configuration key {former} is now called depth.max_m"
    assert [record.message for record in caplog.records].count(said) >= 2


def test_of_former_limits_that_differ_the_narrowest_holds() -> None:
    words = [f"{name}={value}" for name, value in zip(FORMER_LIMITS, (10, 2, 30.0), strict=True)]
    words += ["source.min_depth_m=0.3", "keyframes.min_depth_m=0.1"]
    depth = load_config(overrides=words).depth
    assert (depth.min_m, depth.max_m) == (0.3, 2.0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["keyframes.max_depth_m=4", "depth.max_m=4"], r"former name of depth\.max_m"),
        (["keyframes.max_depth_m=far"], r"depth\.max_m = 'far'"),
        (["keyframes.max_depth_m=far", "bounds.max_depth_m=4"], "expected the same value"),
        (["depth.min_m=3", "depth.max_m=2"], "expected min_m below"),
        (["placement.max_depth_m=4"], "unknown configuration key"),
    ],
)
def test_former_keys_that_cannot_be_taken(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(overrides=overrides)


def test_a_key_that_says_nothing_any_more_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "/**:\n  ros__parameters:\n    pipeline: {queue_frames: 16, mesh_rate_hz: 2.0}\n"
    assert load(tmp_path, text) == load_config(overrides=["pipeline.mesh_rate_hz=2"])
    assert load_config(overrides=["pipeline.queue_frames=many"]) == Config()
    said = [record.message for record in caplog.records]
    assert said == 2 * [
        "configuration key queue_frames says nothing any more: "
        "pipeline.queue_mb bounds the keyframes that wait"
    ]
    with pytest.raises(ConfigError, match="unknown configuration key queue_frames"):
        load_config(overrides=["queue_frames=16"])


def test_every_key_has_a_description() -> None:
    assert [name for name, field in walk(Config) if not field.description] == []


def test_the_default_parameter_file_is_what_the_code_says() -> None:
    path = Path(__file__).parents[1] / "config" / "default.yaml"
    assert path.read_text() == as_yaml(Config(), ros=True), "bring it up to date: make format"
    assert load_config(path) == Config()


@pytest.mark.parametrize("name", ["cpu", "object", "room_rgbd"])
def test_the_other_parameter_files_are_configurations(name: str) -> None:
    assert load_config(Path(__file__).parents[1] / "config" / f"{name}.yaml") != Config()


def test_the_whole_seed_has_a_file_each() -> None:
    names = {path.stem for path in SEED.glob("*.yaml")}
    assert names == {
        "nerf-blender", "nerf-colmap", "neus-blender", "neus-bmvs", "neus-colmap", "neus-dtu",
        "neus-dtu-wmask", "neuralangelo-dtu-wmask",
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(SEED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_of_the_seed_have_its_hash_grid_and_schedule(path: Path) -> None:
    config = load_config(path)
    side_m = config.bounds.aabb[3] - config.bounds.aabb[0]
    is_nerf = path.stem.startswith("nerf")
    coarsest, finest = (16, 4096) if is_nerf else (32, 2048)
    assert side_m / config.field.coarsest_cell_m == pytest.approx(coarsest)
    assert side_m / config.field.finest_cell_m == pytest.approx(finest)
    assert side_m / config.occupancy.cell_m == pytest.approx(128)
    factor = config.training.optimiser.factor()
    at_5000 = 1.0 if path.stem in CONSTANT_AT_FIRST or is_nerf else 0.1 ** (4500 / 19500)
    last = 0.33**3 if is_nerf else 0.1
    assert [factor(step) for step in (5000, 20000)] == pytest.approx([at_5000, last])
    assert (config.background.kind == "learned") == (not reads_masks(path.stem))
    assert (config.field.kind == "density") == is_nerf
    assert config.field.include_points != is_nerf
    assert config.field.colour == ("direction" if is_nerf else "radiance")
    # The captured step, which knows no such weights, gives up less than it gains.
    plain = is_nerf or path.stem in ("neus-blender", "neus-dtu-wmask")
    assert config.field.weight_norm != plain


CONSTANT_AT_FIRST = ("neus-dtu", "neus-dtu-wmask", "neus-bmvs", "neuralangelo-dtu-wmask")


def reads_masks(name: str) -> bool:
    return name.endswith(("blender", "wmask"))


def test_devices() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda")
    with pytest.raises(ConfigError, match="cuda:97"):
        resolve_device("cuda:97")

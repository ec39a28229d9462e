# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus check` as a user meets it: exit codes, the table, and settings that are used again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command import CommandResult
from planted_faults import FAULTS, Fault, PlantedSource
from registered_source import registered_source

from ineus_core.sources import SyntheticConfig, SyntheticSource

Ineus = Callable[..., CommandResult]
BY_NAME = {fault.name: fault for fault in FAULTS}
FRAMES = 20


class RenderedRoom:
    """Frames of the built-in room, each rendered once."""

    def __init__(self) -> None:
        self._source = SyntheticSource(SyntheticConfig(frames=100, width_px=160, height_px=120))
        self._frames: dict[int, Any] = {}

    def frame(self, index: int) -> Any:
        if index not in self._frames:
            self._frames[index] = self._source.frame(index)
        return self._frames[index]

    def pose_at(self, stamp_ns: int) -> np.ndarray:
        return self._source.pose_at(stamp_ns)


@pytest.fixture(scope="module", autouse=True)
def planted() -> Iterator[None]:
    """Let a path be the name of a fault."""
    room = RenderedRoom()

    def open_planted(path: Any, config: Any, options: Any) -> PlantedSource:
        return PlantedSource(room, BY_NAME.get(str(path), Fault("none", "")), frames=FRAMES)

    with registered_source("planted", open_planted):
        yield


def check(ineus: Ineus, fault: str, *options: Any) -> CommandResult:
    return ineus("check", fault, "--source", "planted", *options)


def test_good_input_has_a_table_and_exit_code_0(ineus: Ineus) -> None:
    result = check(ineus, "none")
    assert result.exit_code == 0, result.stderr
    for words in (
        "planted",
        f"{FRAMES}, ",
        "intrinsics",
        "depth range",
    ):
        assert words in result.stdout, result.stdout
    assert "agrees" in result.stdout and "--set" not in result.stdout


def test_input_that_contradicts_itself_has_exit_code_1_and_a_setting(ineus: Ineus) -> None:
    result = check(ineus, "inverted poses")
    assert result.exit_code == 1
    assert "contradicts" in result.stdout
    assert "--set source.poses.inverted=true" in result.stdout
    again = check(ineus, "inverted poses", "--set", "source.poses.inverted=true")
    assert again.exit_code == 0, again.stdout


@pytest.mark.parametrize("fault", ["OpenGL axes", "depth x 5", "focal length x 0.8"])
def test_what_fix_writes_makes_the_views_agree(ineus: Ineus, tmp_path: Path, fault: str) -> None:
    fix = tmp_path / "fix.yaml"
    given = ("--set", "source.frame_period_s=0.2")
    found = check(ineus, fault, "--fix", fix, *given)
    assert found.exit_code == 1 and f"{fix}, 1 setting" in found.stdout
    settings = yaml.safe_load(fix.read_text())["source"]
    # What was given stands beside what was found.
    assert settings.pop("frame_period_s") == 0.2 and len(settings) == 1
    assert check(ineus, fault, "--config", fix).exit_code == 0


def test_one_object_for_programs(ineus: Ineus) -> None:
    result = check(ineus, "depth x 5", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["result"]) == (1, "contradicts")
    assert found["settings"] == {"source.depth_factor": 0.2}
    assert found["found"]["kind"] == "planted" and found["path"] == "depth x 5"


def test_a_path_that_is_not_there_and_a_fix_that_cannot_be_written(
    ineus: Ineus, tmp_path: Path
) -> None:
    ineus("check", tmp_path / "absent").assert_fails(1, "absent")
    (tmp_path / "file").write_text("")
    check(ineus, "none", "--fix", tmp_path / "file" / "fix.yaml").assert_fails(2, "file")

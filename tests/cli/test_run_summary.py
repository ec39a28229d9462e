# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The table at the end of a run says what was filled, estimated, left out, and why."""

from pathlib import Path
from typing import Any

from ineus_core.cli.run_summary import summary_rows


def rows(counters: dict[str, int] | None = None, **changed: Any) -> dict[str, str]:
    report = {
        "input": {"kind": "posed_images"},
        "chosen": {"kind": "", "settings": {}},
        "frames_used": 40,
        "frames_dropped": 3,
        "dropped": {},
        "keyframes": 20,
        "counters": counters or {},
        "steps": 100,
        "steps_before": 0,
        "wall_s": 1.5,
        "samples_per_second": 2e6,
        "device": "cpu",
        "mesh": {"vertices": 10, "triangles": 20, "voxel_size_m": 0.025},
        "held_out": {"frames": 0, "every": 0},
    }
    return summary_rows(Path("out"), report | changed)


def test_what_did_not_happen_has_no_row() -> None:
    nothing = dict.fromkeys(("frames_out_of_bounds", "depth_pixels_filled", "maps_begun_anew"), 0)
    assert list(rows(nothing)) == ["kind", "frames", "training", "mesh", "written"]


def test_depth_that_no_sensor_has_measured_is_told_apart() -> None:
    counters = {"depth_pixels_filled": 50_000, "depth_pixels_measured": 950_000}
    counters |= {"keyframes_with_estimate": 13, "keyframes_without_estimate": 2}
    found = rows(counters)
    assert found["depth filled"] == "50,000 pixels of keyframes, 5.0 % of their depth"
    assert found["depth estimated"].startswith("of 13 keyframes")
    assert found["without depth"] == "2 keyframes (their pictures do not tell it)"


def test_frames_out_of_bounds_are_said_with_what_helps() -> None:
    text = rows({"frames_out_of_bounds": 36})["out of bounds"]
    assert text.startswith("36 frames lie outside of the map:")
    assert all(words in text for words in ("field.extent_m", "bounds.aabb", "ineus check"))
    assert "began anew" in rows({"frames_out_of_bounds": 3, "maps_begun_anew": 1})["out of bounds"]


def test_frames_are_dropped_for_reasons_and_nothing_that_is_held_out_is_said() -> None:
    found = rows(dropped={"no_pose": 2, "time_over": 1}, held_out={"frames": 0, "every": 50})
    assert found["frames"] == "40 used, 3 dropped (2 no_pose, 1 time_over), 20 keyframes"
    assert found["held out"] == "none: fewer than 50 frames came (--hold-out)"


def test_repeated_stamps_are_said() -> None:
    assert rows({"frames_with_repeated_stamp": 7})["repeated stamps"].startswith("7 frames")


def test_a_run_that_goes_on_tells_its_own_steps() -> None:
    assert rows()["training"].startswith("100 steps in 1.5 s")
    went_on = rows(steps=80, steps_before=60)["training"]
    assert went_on.startswith("20 steps (after 60 of the checkpoint) in 1.5 s")

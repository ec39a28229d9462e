# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes of the first camera as a file of poses, by stamp, to the nanosecond."""

from pathlib import Path

from tiny_scene import pose

from ineus_core.pipeline import save_trajectory


def test_a_line_for_each_keyframe_of_the_first_camera_by_stamp(tmp_path: Path) -> None:
    poses = {
        (2_000_000_001, 0): pose(x=1.5, yaw_deg=180.0),
        (1_000_000_000, 0): pose(y=-0.25),
        (1_000_000_000, 1): pose(z=9.0),
    }
    lines = save_trajectory(poses, tmp_path / "trajectory.tum").read_text().splitlines()
    assert lines[1] == (
        "1.000000000 0.0000000 -0.2500000 0.0000000 0.0000000 0.0000000 0.0000000 1.0000000"
    )
    numbers = lines[2].split()
    assert numbers[:2] == ["2.000000001", "1.5000000"]
    assert [abs(float(x)) for x in numbers[4:]] == [0.0, 1.0, 0.0, 0.0]
    assert len(lines) == 3

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the check found, in words and as settings."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from ineus_core.consistency.hypotheses import Hypothesis
from ineus_core.sources import Adjustment

AXES_IN_WORDS = {
    "opencv": "OpenCV axes (x right, y down, z forward)",
    "opengl": "OpenGL axes (y up, z back)",
    "ros_body": "body axes of ROS (x forward, z up)",
}


@dataclass(frozen=True)
class Verdict:
    """Whether the input agrees with itself."""

    result: Literal["agrees", "contradicts", "cannot tell"]
    message: str
    hypothesis: str = ""
    """Family of what makes the views agree; empty where nothing is named."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys with dots that select it, and their values."""
    figures: dict[str, float | int | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "result": self.result,
            "message": self.message,
            "hypothesis": self.hypothesis,
            "settings": self.settings,
            "figures": self.figures,
        }


def settings_of(hypothesis: Hypothesis, given: Adjustment) -> dict[str, Any]:
    """Return the keys in which a hypothesis differs from what is given."""
    new, changed = hypothesis.adjustment, dict(hypothesis.settings)
    for key in type(new.poses).model_fields:
        value = getattr(new.poses, key)
        if value != getattr(given.poses, key):
            changed[f"source.poses.{key}"] = _rounded(value)
    for key in ("depth_factor", "focal_factor"):
        value = getattr(new, key)
        if value != getattr(given, key):
            changed[f"source.{key}"] = _rounded(value)
    return changed


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(float(number), 5) for number in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def words(settings: dict[str, Any]) -> str:
    """Return settings as they are typed."""
    return " ".join(f"--set {key}={_typed(value)}" for key, value in settings.items())


def _typed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(f'{number:g}' for number in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def explanation(hypothesis: Hypothesis, given: Adjustment) -> str:
    """Return what a hypothesis says about the input, as a clause."""
    new = hypothesis.adjustment
    clauses = {
        "inverted": "the poses are inverted (camera_from_world)"
        if new.poses.inverted
        else "the poses are not inverted (world_from_camera)",
        "axes": f"the poses have {AXES_IN_WORDS.get(new.poses.axes, f'axes {new.poses.axes}')}",
        "mirrored": "the world is left-handed and y of its cameras is up, as in ICL-NUIM"
        if new.poses.mirrored
        else "the world is right-handed",
        "quaternion": f"the quaternions are in the order {new.poses.quaternion_order}",
        "unit": _unit(new, given),
        "focal": f"the focal length is {new.focal_factor / given.focal_factor:.3f} times the "
        "given one",
        "time": _time(new.poses.time_offset_s - given.poses.time_offset_s),
        "turned": _mounting(new),
        "mounting": _mounting(new),
        "topic": "the poses are those of "
        + ", ".join(
            str(value)
            for key, value in hypothesis.settings.items()
            if not key.endswith("pose_source")
        ),
    }
    return " and ".join(clauses[name] for name in hypothesis.family.split("+"))


def _unit(new: Adjustment, given: Adjustment) -> str:
    if new.poses.scale != given.poses.scale:
        factor = new.poses.scale / given.poses.scale
        return f"depth or poses are in another unit (positions x {factor:.4g})"
    factor = new.depth_factor / given.depth_factor
    return f"depth or poses are in another unit (depth x {factor:.4g})"


def _time(offset_s: float) -> str:
    late = "late" if offset_s > 0 else "early"
    return f"the poses are {abs(offset_s):.2f} s {late} against the images"


def _mounting(new: Adjustment) -> str:
    numbers = np.array(new.poses.body_from_camera or (0, 0, 0, 0, 0, 0, 1))
    moved_cm = 100 * float(np.linalg.norm(numbers[:3]))
    turned = np.degrees(Rotation.from_quat(numbers[3:]).magnitude())
    return f"the camera is mounted {moved_cm:.0f} cm and {turned:.1f} degrees off"

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The returns of the first frames, looked at before limits cut them: their range and unit."""

import logging
import math
from typing import Any

import numpy as np

from ineus_core.keyframes import DepthConfig, has_returns
from ineus_core.types import Frame

_LOG = logging.getLogger(__name__)

_FRAMES = 8
"""Frames that are looked at: enough for a view that is close to a wall to be one of many."""
_EMPTY_FRAMES = 30
"""Frames without any return, after which this is said: a sensor may need some to begin."""
_STRIDE_PX = 8
_CUT_SHARE = 0.5
"""Share of the returns that are cut, above which limits or unit are hardly meant so."""
_ALL_SHARE = 0.98
"""Share that is cut, above which depth has shown nothing at all."""
_USUAL_M = ((0.3, 8.0), (0.1, 30.0))
"""Median of the returns of most recordings, and of nearly all."""
_FACTORS = (0.001, 0.1, 10.0, 1000.0, 0.2, 5.0)
"""What depth is usually multiplied by where its unit was mistaken, the commonest first."""

_MEDIAN_OF_A_ROOM_M = 2.0
_OF_A_ROOM_M = {
    "meshing.voxel_size_m": 0.025,
    "field.extent_m": 128.0,
    "ray_sampling.truncation_m": 0.05,
    "ray_sampling.near_m": 0.05,
    "selector.min_translation_m": 0.1,
    "bounds.margin_m": 0.3,
}
"""Lengths that serve a room, which a scene of another size needs in proportion."""
_LARGEST_MAX_M = 1000.0
"""What depth.max_m may be at most."""


class DepthRange:
    """Tells once if most returns of the first frames are not believed, or if there are none.

    Args:
        limits: What is believed.
    """

    def __init__(self, limits: DepthConfig) -> None:
        """Begin to look."""
        self.sentence = ""
        """What is wrong, and the settings that would help; empty if nothing is."""
        self._limits = limits
        self._returns: list[np.ndarray] = []
        self._empty_frames = 0

    def add(self, frame: Frame) -> None:
        """Look at a frame; the last one that is needed decides."""
        if frame.depth_m is None or len(self._returns) >= _FRAMES:
            return
        if not has_returns(frame):
            self._empty_frames += 1
            if self._empty_frames == _EMPTY_FRAMES:
                self._tell_of_no_returns()
            return
        if not self._returns:
            # What was said of frames before does not hold any more.
            self.sentence = ""
        depth_m = frame.depth_m[::_STRIDE_PX, ::_STRIDE_PX]
        # Above 0 and finite only: no return is no matter of range.
        self._returns.append(depth_m[(depth_m > 0) & (depth_m < np.inf)])
        if len(self._returns) == _FRAMES:
            self._judge()

    def finish(self) -> None:
        """Decide by what there was, if that was less."""
        if len(self._returns) < _FRAMES:
            self._judge()
        self._tell_of_no_returns()

    @property
    def is_all_cut(self) -> bool:
        """Whether hardly any return of the first frames was believed."""
        returns = self._all()
        return len(returns) > 0 and sum(self._cut(returns)) > _ALL_SHARE

    def as_json(self) -> dict[str, Any] | None:
        """Return what was seen, or nothing where no frame had depth."""
        returns = self._all()
        if len(returns) == 0:
            told = {"frames": self._empty_frames, "message": self.sentence}
            return told if self.sentence else None
        near, far = self._cut(returns)
        return {
            "frames": len(self._returns),
            "median_m": float(np.median(returns)),
            "nearer_than_min_m": near,
            "farther_than_max_m": far,
            "message": self.sentence,
        }

    def _judge(self) -> None:
        returns = self._all()
        if len(returns) == 0 or self.sentence:
            return
        near, far = self._cut(returns)
        if near + far > _CUT_SHARE:
            self.sentence = _sentence(returns, near, far, self._limits)
            _LOG.warning("%s", self.sentence)

    def _tell_of_no_returns(self) -> None:
        if self._empty_frames == 0 or self._returns or self.sentence:
            return
        self.sentence = (
            f"the depth images hold no returns at all ({self._empty_frames} frames in which "
            "all is 0 or none), so that colour alone is used: the topic or folder may be that of "
            "another image, its encoding or unit another than is said, or its camera_info or "
            "transform may move all of it out of the colour image (`ineus check` shows what is "
            "read)"
        )
        _LOG.warning("%s", self.sentence)

    def _all(self) -> np.ndarray:
        return np.concatenate(self._returns) if self._returns else np.empty(0, np.float32)

    def _cut(self, returns: np.ndarray) -> tuple[float, float]:
        """Return the shares that are too near and too far."""
        limits = self._limits
        near, far = (returns < limits.min_m).mean(), (returns > limits.max_m).mean()
        return float(near), float(far)


def _sentence(returns: np.ndarray, near: float, far: float, limits: DepthConfig) -> str:
    median_m = float(np.median(returns))
    if far >= near:
        key, limit_m = "depth.max_m", limits.max_m
        # Not the farthest, which may be a wild one.
        wanted_m = _rounded_up(1.1 * float(np.percentile(returns, 99)))
        wanted = {key: min(wanted_m, _LARGEST_MAX_M)}
        found = f"{100 * far:.0f} % of the returns are farther than {key} ({limit_m:g} m)"
    else:
        key, limit_m = "depth.min_m", limits.min_m
        # Rounded down, by way of the negative: half of what is nearest shall stay in.
        wanted = {key: -_rounded_up(-0.5 * float(np.percentile(returns, 1)))}
        found = f"{100 * near:.0f} % of the returns are nearer than {key} ({limit_m:g} m)"
    wanted |= _lengths_of(median_m)
    factor = _unit_factor(median_m)
    unit = ""
    if factor is not None:
        unit = (
            f"if depth is in another unit, source.depth_factor={factor:g} makes that "
            f"{_length(median_m * factor)}; "
        )
    settings = ", ".join(f"{name}={value:g}" for name, value in wanted.items())
    return (
        f"{found} and count as none, their median is {_length(median_m)}: {unit}if the scene "
        f"is of that size, source.scale={_scale_of(median_m):g} brings it to that of a room "
        f"(offline; the mesh stays in its unit), and a node needs {settings}"
    )


def _scale_of(median_m: float) -> float:
    """Return what brings a median to that of a room, by one digit."""
    return float(f"{_MEDIAN_OF_A_ROOM_M / median_m:.1g}")


def _lengths_of(median_m: float) -> dict[str, float]:
    """Return the lengths that a scene needs which is so far away, in proportion to a room."""
    scale = median_m / _MEDIAN_OF_A_ROOM_M
    names = ["meshing.voxel_size_m"]
    if scale > 1:
        names.append("field.extent_m")
    else:
        names += ["ray_sampling.truncation_m", "ray_sampling.near_m"]
        names += ["selector.min_translation_m", "bounds.margin_m"]
    return {name: _rounded_up(scale * _OF_A_ROOM_M[name]) for name in names}


def _unit_factor(median_m: float) -> float | None:
    """Return what would make a median a usual one."""
    for low, high in _USUAL_M:
        for factor in _FACTORS:
            if low <= median_m * factor <= high:
                return factor
    return None


def _rounded_up(value: float) -> float:
    """Round up to one digit, so that people can read it; below 0, towards 0."""
    step = 10.0 ** math.floor(math.log10(abs(value)))
    return round(math.ceil(value / step) * step, 9)


def _length(metres: float) -> str:
    return f"{1000 * metres:.3g} mm" if metres < 0.1 else f"{metres:,.4g} m"

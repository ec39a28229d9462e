# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Settings that pictures without depth need by what they show, where nobody has set them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.geometry import box_of_cameras
from ineus_core.pipeline.visual_hull import visual_hull_box
from ineus_core.sources import HasRandomAccess, Source, frame_count, known_poses
from ineus_core.types import Frame

Settings = TypeVar("Settings", bound=ConfigModel)
_FRAMES = 12
"""Pictures that are looked at, spread over the source."""
_REACH = 0.9
"""Half the side of the cube that is searched for the object, in distances of the cameras."""
_OPAQUE = 0.98
"""Share of a picture that is foreground, above which alpha says nothing."""
_REFINE_STEPS = 20_000
"""Twice as many as else, in which a GPU comes to the finest details: seconds."""
_COLOURS = {"white": 255.0, "black": 0.0}
_NEAR_COLOUR = 6.0
"""Levels out of 255 by which a background may differ from white or black."""
_PLAIN_SHARE = 0.95
"""Share of the picture's edge that is of one colour, of an object before nothing."""


@dataclass(frozen=True)
class KindSettings:
    """What a source shows, and what that calls for."""

    kind: str = ""
    """In words; empty: nothing in particular."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Values by dotted key."""


def settings_of_kind(source: Source, device: torch.device) -> KindSettings:
    """Look at some pictures of a source and say what they call for."""
    poses = known_poses(source)
    count = frame_count(source) or 0
    if not isinstance(source, HasRandomAccess) or poses is None or count == 0:
        return KindSettings()
    # Spread, as the first pictures of a video are all from one side.
    indices = np.unique(np.linspace(0, count - 1, _FRAMES).astype(int)).tolist()
    frames = list(_readable(source, indices))
    # With depth nothing has to be guessed from pictures.
    if not frames or any(frame.depth_m is not None for frame in frames):
        return KindSettings()
    shares = [1.0 if f.foreground is None else float(f.foreground.mean()) for f in frames]
    # Pictures that are opaque everywhere have an alpha that says nothing.
    if np.median(shares) < _OPAQUE:
        return _of_outlined_object(frames, poses, on_gpu=device.type == "cuda")
    if box_of_cameras(poses)[0] == "object":
        return _of_object_before_nothing(frames)
    return KindSettings()


def _readable(source: HasRandomAccess, indices: Sequence[int]) -> Iterator[Frame]:
    """Yield frames but for damaged ones, which are said when they are read in their turn."""
    for index in indices:
        try:
            yield source.frame(index)
        except SourceError:
            continue


def with_settings(config: Settings, given: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return a configuration with the values that nobody has set in it, and those values."""
    taken: dict[str, Any] = {}
    for key, value in given.items():
        changed = _with_value(config, key.split("."), value)
        if changed is not None:
            config, taken[key] = changed, value
    return config, taken


def _with_value(config: Settings, names: Sequence[str], value: Any) -> Settings | None:
    name, *rest = names
    if not rest:
        # Also a default that somebody has written down is his.
        is_given = name in config.model_fields_set
        return None if is_given else config.model_copy(update={name: value})
    section = _with_value(getattr(config, name), rest, value)
    return None if section is None else config.model_copy(update={name: section})


def _of_outlined_object(
    frames: Sequence[Frame], poses: Sequence[np.ndarray], on_gpu: bool
) -> KindSettings:
    """Return what pictures call for that say which pixels show the object."""
    settings: dict[str, Any] = {"training.weights.mask": 0.1, "training.view_dropout": 0.0}
    if on_gpu:
        settings["pipeline.refine_steps"] = _REFINE_STEPS
    outside = [f.rgb[f.foreground == 0] for f in frames if f.foreground is not None]
    colour = _plain_colour(np.concatenate(outside))
    if colour:
        settings["training.background"] = colour
    kind, cube = box_of_cameras(list(poses))
    if kind == "object":
        centre = cube.mean(axis=0)
        # That of the cameras has half of their distance on each side.
        box = visual_hull_box(frames, centre + (cube - centre) * 2 * _REACH)
        settings["field.init"] = "object"
        # A box that is tighter than it need be has finer cells, which take longer to settle.
        if box is not None and not _holds(cube, box):
            settings["bounds.aabb"] = tuple(box.round(4).ravel().tolist())
    return KindSettings("an object whose outline is known", settings)


def _holds(outer: np.ndarray, inner: np.ndarray) -> bool:
    return bool((outer[0] <= inner[0]).all() and (inner[1] <= outer[1]).all())


def _of_object_before_nothing(frames: Sequence[Frame]) -> KindSettings:
    """Return what pictures call for that show an object before white or black."""
    edges = [
        np.concatenate((f.rgb[0], f.rgb[-1], f.rgb[:, 0], f.rgb[:, -1])).reshape(-1, 3)
        for f in frames
    ]
    colour = _plain_colour(np.concatenate(edges))
    if not colour:
        return KindSettings()
    return KindSettings(f"an object before {colour}", {"training.background": colour})


def _plain_colour(pixels: np.ndarray) -> str:
    """Return white or black if nearly all pixels are of that colour, else nothing."""
    if len(pixels) == 0:
        return ""
    for name, level in _COLOURS.items():
        is_near = (np.abs(pixels.astype(np.float32) - level) <= _NEAR_COLOUR).all(axis=-1)
        if is_near.mean() >= _PLAIN_SHARE:
            return name
    return ""

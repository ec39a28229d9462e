# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The raw data that Polycam exports: `keyframes/` with pictures, cameras, depth and confidence."""

from collections import Counter
from pathlib import Path

import numpy as np
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.geometry import OPENGL_CAMERA_FROM_CAMERA
from ineus_core.sources.parsing import NumberFields, checked_pose, read_json
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.sources.sequences.rgbd_folder import pictures_of
from ineus_core.types import Camera

_PAIRS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
"""Poses after Polycam's own optimisation come first."""


class PolycamConfig(ConfigModel):
    """How a raw export of Polycam is read."""

    depth: bool = Field(default=True, description="Whether the depth of the LiDAR is used")
    depth_scale: float = Field(default=1000.0, gt=0, description="Depth values per metre")
    least_confidence: int = Field(
        default=0,
        ge=0,
        le=255,
        description="Depth where the picture of confidence/ has a lower value is left out; 0: "
        "none is",
    )


class PolycamSource(ImageSequence):
    """Pictures of `keyframes/`, each with a camera of its own in a JSON file.

    Its `t_00` to `t_23` are world_from_camera with OpenGL axes; the world is that of ARKit, y up.
    """

    kind = "polycam"

    def __init__(
        self,
        path: str | Path,
        config: PolycamConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or PolycamConfig()
        self.path = Path(path)
        files, dropped = _frames(_keyframes(self.path), config, options)
        if not files or files[0].camera is None:
            raise SourceError(f"{self.path}: no picture of keyframes/ has a camera")
        depth = DepthCoding(config.depth_scale, least_confidence=config.least_confidence)
        super().__init__(files, files[0].camera, depth, options.max_frames)
        self.dropped.update(dropped)


def is_export(path: Path) -> bool:
    """Decide whether a folder is an export, or its `keyframes`."""
    return any(_has_cameras(folder) for folder in (path / "keyframes", path))


def _has_cameras(folder: Path) -> bool:
    return any(
        (folder / images).is_dir() and any((folder / cameras).glob("*.json"))
        for images, cameras in _PAIRS
    )


def _keyframes(path: Path) -> Path:
    for folder in (path / "keyframes", path):
        if _has_cameras(folder):
            return folder
    raise SourceError(f"{path}: no keyframes/images with keyframes/cameras; expected raw data")


def _frames(
    folder: Path, config: PolycamConfig, options: ReadOptions
) -> tuple[list[FrameFiles], Counter[str]]:
    images, cameras = next(
        (folder / a, folder / b)
        for a, b in _PAIRS
        if (folder / a).is_dir() and any((folder / b).glob("*.json"))
    )
    files: list[FrameFiles] = []
    dropped: Counter[str] = Counter()
    has_depth = config.depth and (folder / "depth").is_dir()
    for index, colour in enumerate(pictures_of(images)):
        described = cameras / f"{colour.stem}.json"
        depth = folder / "depth" / f"{colour.stem}.png" if has_depth else None
        confidence = folder / "confidence" / f"{colour.stem}.png"
        if not described.is_file():
            dropped["no_pose"] += 1
            continue
        if depth is not None and not depth.is_file():
            dropped["no_depth"] += 1
            continue
        fields = _fields(described)
        files.append(
            FrameFiles(
                round(index * options.frame_period_s * 1e9),
                _pose(fields, described),
                colour,
                depth,
                _camera(fields, picture_size(colour, options.max_picture_mpx)),
                confidence if confidence.is_file() else None,
            )
        )
    return files, dropped


def _fields(file: Path) -> NumberFields:
    content = read_json(file)
    if not isinstance(content, dict):
        raise SourceError(f"{file}: expected an object with fx, fy, cx, cy and t_00 to t_23")
    return NumberFields(content, str(file))


def _pose(fields: NumberFields, file: Path) -> np.ndarray:
    rows = [[fields.number(f"t_{row}{column}") for column in range(4)] for row in range(3)]
    return checked_pose(np.array(rows), str(file)) @ OPENGL_CAMERA_FROM_CAMERA


def _camera(fields: NumberFields, size: tuple[int, int]) -> Camera:
    # Of the size that the file names, which need not be that of the picture.
    width, height = fields.number("width", size[0]), fields.number("height", size[1])
    fx, fy, cx, cy = (fields.number(key) for key in ("fx", "fy", "cx", "cy"))
    # No half pixel is added: ARKit counts from the corner of the picture, as we do.
    return Camera(int(width), int(height), fx, fy, cx, cy).resized(*size)

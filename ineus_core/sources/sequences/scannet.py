# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scan of ScanNet as its exporter writes it: `color/`, `depth/`, `pose/` and `intrinsic/`."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.parsing import checked_pose, numbered_lines, parse_numbers
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.camera_files import Calibration, read_calibration
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.sources.sequences.rgbd_folder import pictures_of
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)
_COLOUR_CAMERA, _DEPTH_CAMERA = "intrinsic_color.txt", "intrinsic_depth.txt"
_FULL_SIZE = (1296, 968)
"""Of the colour pictures, which are often exported smaller beside the same intrinsics."""
# Share of the width: not much more than a pixel of 640, for which no depth is registered anew.
_SAME_LENS = 0.002


class ScanNetConfig(ConfigModel):
    """How an exported scan of ScanNet is read."""

    depth_scale: float = Field(default=1000.0, gt=0, description="Depth values per metre")
    calibrated_width_px: int = Field(
        default=0,
        ge=0,
        description="Width of the pictures that intrinsic_color.txt is for; 0: that of the "
        "pictures, or 1296 where the principal point says so",
    )


class ScanNetSource(ImageSequence):
    """Frames `color/N.jpg`, `depth/N.png` (millimetres) with world_from_camera in `pose/N.txt`.

    Depth that was taken by another lens is registered to colour. Frames without a finite pose,
    which is how ScanNet marks those that were lost, are counted.
    """

    kind = "scannet"

    def __init__(
        self,
        path: str | Path,
        config: ScanNetConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or ScanNetConfig()
        self.path = Path(path)
        files, dropped = _frames(self.path, options.frame_period_s)
        if not files:
            raise SourceError(
                f"{self.path}: no picture of color/ has a finite pose in pose/NUMBER.txt"
            )
        size = picture_size(files[0].colour, options.max_picture_mpx)
        camera = _colour_camera(self.path, size, config.calibrated_width_px)
        lens = None if files[0].depth is None else _depth_camera(self.path, files[0].depth, camera)
        depth = DepthCoding(config.depth_scale, camera=lens)
        super().__init__(files, camera, depth, options.max_frames)
        self.dropped.update(dropped)


def is_scan(path: Path) -> bool:
    """Decide whether a folder has the parts of an exported scan."""
    return (path / "color").is_dir() and any((path / "pose").glob("*.txt"))


def _frames(folder: Path, period_s: float) -> tuple[list[FrameFiles], Counter[str]]:
    files: list[FrameFiles] = []
    dropped: Counter[str] = Counter()
    for colour in pictures_of(folder / "color"):
        pose = _pose(folder / "pose" / f"{colour.stem}.txt")
        depth = folder / "depth" / f"{colour.stem}.png" if (folder / "depth").is_dir() else None
        if pose is None:
            dropped["no_pose"] += 1
        elif depth is not None and not depth.is_file():
            dropped["no_depth"] += 1
        else:
            number = int(colour.stem) if colour.stem.isdecimal() else len(files)
            files.append(FrameFiles(round(number * period_s * 1e9), pose, colour, depth))
    return files, dropped


def _pose(path: Path) -> Float[np.ndarray, "4 4"] | None:
    if not path.is_file():
        return None
    lines = numbered_lines(path)
    words = [word for _, line in lines for word in line.split()]
    numbers = parse_numbers(words, str(path))
    if len(numbers) != 16:
        raise SourceError(f"{path}: {len(numbers)} numbers; expected 16 of a 4 x 4 pose")
    return checked_pose(numbers.reshape(4, 4), str(path)) if np.isfinite(numbers).all() else None


def _calibration(folder: Path, name: str) -> Calibration | None:
    places = (folder / "intrinsic" / name, folder / name)
    file = next((place for place in places if place.is_file()), None)
    return None if file is None else read_calibration(file)


def _colour_camera(folder: Path, size: tuple[int, int], calibrated_width: int) -> Camera:
    found = _calibration(folder, _COLOUR_CAMERA)
    if found is None:
        raise SourceError(
            f"{folder}: no intrinsic/{_COLOUR_CAMERA}; expected a 4 x 4 matrix of the pictures"
        )
    full = size
    if calibrated_width:
        full = (calibrated_width, round(calibrated_width * size[1] / size[0]))
    # A principal point lies near the middle: beyond three quarters of the width, the intrinsics
    # are of larger pictures.
    elif size[0] < _FULL_SIZE[0] and found.cx > 0.75 * size[0]:
        full = _FULL_SIZE
        _LOG.warning(
            "%s: pictures of %d x %d pixels whose principal point is (%g, %g); the intrinsics "
            "are taken for %d x %d; source.scannet.calibrated_width_px sets another size",
            *(folder, *size, found.cx, found.cy, *full),
        )
    return Camera(*full, found.fx, found.fy, found.cx + 0.5, found.cy + 0.5).resized(*size)


def _depth_camera(folder: Path, depth: Path, colour: Camera) -> Camera | None:
    """Return the camera of the depth pictures where it is not the one of colour."""
    found = _calibration(folder, _DEPTH_CAMERA)
    if found is None:
        return None
    camera = found.camera(picture_size(depth))
    same = colour.resized(camera.width_px, camera.height_px)
    shifts = np.array((camera.fx - same.fx, camera.fy - same.fy, camera.cx - same.cx))
    is_same = np.abs(shifts).max() < _SAME_LENS * camera.width_px
    return None if is_same and abs(camera.cy - same.cy) < _SAME_LENS * camera.width_px else camera

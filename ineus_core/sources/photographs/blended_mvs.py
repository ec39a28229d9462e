# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene of BlendedMVS: pictures, `cams/*_cam.txt` and rendered depth, or as NeuS packs it."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.sources.parsing import checked_pose, numbered_lines, parse_matrix
from ineus_core.sources.photographs.dtu import DtuConfig, DtuSource, is_scan, numbered_pictures
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    normalising_similarity,
    similarity_scale,
)
from ineus_core.sources.photographs.photo_set import (
    Photo,
    PhotoSet,
    PhotoSetConfig,
    with_pictures,
)
from ineus_core.sources.picture_files import picture_size, read_pfm
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

PICTURES, CAMERAS, DEPTHS = "blended_images", "cams", "rendered_depth_maps"


class BlendedMvsConfig(PhotoSetConfig):
    """How a scene of BlendedMVS is read."""

    depth: bool = Field(default=True, description="Whether frames have the rendered depth")
    normalisation: NormalisationConfig = Field(
        default=NormalisationConfig(), description="Layout of the world"
    )


class BlendedMvsSource(PhotoSet):
    """Pictures `blended_images/NNNNNNNN.jpg` with `cams/NNNNNNNN_cam.txt`."""

    kind = "blended_mvs"

    def __init__(
        self,
        path: str | Path,
        config: BlendedMvsConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or BlendedMvsConfig()
        folder = Path(path)
        photos, absent = _photos(folder, config, options.max_picture_mpx)
        poses = [photo.world_from_camera for photo in photos]
        points = np.empty((0, 3))
        move = normalising_similarity(poses, points, config.normalisation, str(folder))
        self._scale = np.float32(similarity_scale(move))
        super().__init__(
            [
                Photo(p.colour, p.camera, moved_pose(move, p.world_from_camera), None, p.depth)
                for p in photos
            ],
            config,
            options,
            dataset_from_world=np.linalg.inv(move),
            read_depth_m=lambda file, size: read_pfm(file, size) * self._scale,
            absent=absent,
        )

    def foreground(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """Return where the depth was rendered; nothing if there is no depth."""
        depth_m = self.frame(index).depth_m
        return None if depth_m is None else depth_m > 0


def open_blended_mvs(
    path: str | Path, config: BlendedMvsConfig, options: ReadOptions
) -> BlendedMvsSource | DtuSource:
    """Open a scene in its own layout, or with `cameras_sphere.npz` as NeuS packs it."""
    if not is_scan(Path(path)):
        return BlendedMvsSource(path, config, options)
    # Only what both kinds have: NeuS packs neither depth nor a world that is open.
    names = PhotoSetConfig.model_fields
    packed = DtuConfig(**{name: getattr(config, name) for name in names})
    return DtuSource(path, packed, options)


def is_scene(path: Path) -> bool:
    """Decide whether a folder has pictures and cameras of this layout."""
    return (path / PICTURES).is_dir() and (path / CAMERAS).is_dir()


def _photos(folder: Path, config: BlendedMvsConfig, most_mpx: float) -> tuple[list[Photo], int]:
    """Return the pictures, and the number of cameras without one."""
    pictures = numbered_pictures(folder / PICTURES)
    depths = numbered_pictures(folder / DEPTHS) if config.depth else {}
    files = sorted((folder / CAMERAS).glob("*_cam.txt"))
    if not files:
        raise SourceError(
            f"{folder / CAMERAS}: no NNNNNNNN_cam.txt; expected one for each picture"
        )
    colours = []
    for file in files:
        number = file.name.removesuffix("_cam.txt")
        if not number.isdecimal():
            raise SourceError(f"{file}: name {number!r}; expected a number before _cam.txt")
        colours.append(pictures.get(int(number), folder / PICTURES / f"{number}.jpg"))
    photos = []
    listed = list(zip(files, colours, strict=True))
    for file, colour in with_pictures(listed, colours, str(folder)):
        number = file.name.removesuffix("_cam.txt")
        missing = folder / DEPTHS / f"{number}.pfm"
        depth = depths.get(int(number), missing) if depths else None
        pose, matrix = _read_camera(file)
        fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        camera = Camera(*picture_size(colour, most_mpx), fx, fy, cx, cy)
        photos.append(Photo(colour, camera, pose, None, depth))
    return photos, len(files) - len(photos)


def _read_camera(file: Path) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "3 3"]]:
    """Return pose and intrinsic matrix; the range of depths after them is not needed."""
    lines = numbered_lines(file)
    words = [line for _, line in lines]
    if "extrinsic" not in words or "intrinsic" not in words:
        raise SourceError(f"{file}: no line 'extrinsic' or 'intrinsic'; expected both")
    camera_from_world = parse_matrix(file, lines[words.index("extrinsic") + 1 :][:4], 4, 4)
    intrinsics = parse_matrix(file, lines[words.index("intrinsic") + 1 :][:3], 3, 3)
    return rigid_inverse(checked_pose(camera_from_world, str(file))), intrinsics

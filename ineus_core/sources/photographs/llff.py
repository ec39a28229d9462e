# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A capture of LLFF: `poses_bounds.npy`, a row for each picture of `images/` by name."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.files import DAMAGED_ARRAY
from ineus_core.sources.parsing import checked_pose
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    normalising_similarity,
)
from ineus_core.sources.photographs.photo_set import Photo, PhotoSet, PhotoSetConfig, named_mask
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

FILE, PICTURES = "poses_bounds.npy", "images"
_SUFFIXES = (".jpg", ".jpeg", ".png")
_COLUMNS = 17


class LlffConfig(PhotoSetConfig):
    """How a capture of LLFF is read."""

    images_folder: str = Field(
        default=PICTURES, description="Folder of the pictures, such as images_8 of reduced ones"
    )
    normalisation: NormalisationConfig = Field(
        default=NormalisationConfig(), description="Layout of the world"
    )


class LlffSource(PhotoSet):
    """Pictures of one pinhole camera, with poses out of a model of COLMAP, and `masks/` if any.

    A row has 3 x 5 numbers, then the nearest and the farthest depth (https://github.com/Fyusion/LLFF).
    Columns of the matrix are where down, right and back of the camera point, its position, and
    height, width and focal length of the full pictures; the optical axis goes through the middle.
    """

    kind = "llff"

    def __init__(
        self,
        path: str | Path,
        config: LlffConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or LlffConfig()
        folder = Path(path)
        rows = _read_rows(folder / FILE)
        pictures = _pictures(folder / config.images_folder)
        if len(pictures) != len(rows):
            raise SourceError(
                f"{folder}: {FILE} has {len(rows)} poses, {config.images_folder}/ has "
                f"{len(pictures)} pictures; expected one of each (source.llff.images_folder sets "
                "another folder)"
            )
        poses = [_pose(row, f"{folder / FILE}, row {k}") for k, row in enumerate(rows)]
        move = normalising_similarity(
            poses, np.empty((0, 3)), config.normalisation, str(folder / FILE)
        )
        super().__init__(
            [
                Photo(
                    picture,
                    _camera(row, picture_size(picture, options.max_picture_mpx)),
                    moved_pose(move, pose),
                    named_mask(folder / "masks", picture.name),
                )
                for picture, row, pose in zip(pictures, rows, poses, strict=True)
            ],
            config,
            options,
            dataset_from_world=np.linalg.inv(move),
        )


def is_capture(path: Path) -> bool:
    """Decide whether a folder has poses and pictures of this layout."""
    return (path / FILE).is_file() and (path / PICTURES).is_dir()


def _read_rows(file: Path) -> Float[np.ndarray, "n 3 5"]:
    try:
        # Mapped, so that a header that claims more than the file holds takes no memory.
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except DAMAGED_ARRAY as error:
        raise SourceError(f"{file}: cannot be read: {error}") from error
    is_table = isinstance(values, np.ndarray) and values.ndim == 2
    if not is_table or values.shape[1] != _COLUMNS or not len(values):
        shape = getattr(values, "shape", "an archive")
        raise SourceError(f"{file}: {shape}; expected a table of {_COLUMNS} numbers a picture")
    return values[:, :15].astype(np.float64).reshape(-1, 3, 5)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; source.llff.images_folder sets another")
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)


def _pose(row: Float[np.ndarray, "3 5"], where: str) -> Float[np.ndarray, "4 4"]:
    down, right, back = row[:, 0], row[:, 1], row[:, 2]
    return checked_pose(np.stack((right, down, -back, row[:, 3]), axis=1), where)


def _camera(row: Float[np.ndarray, "3 5"], size: tuple[int, int]) -> Camera:
    height, width, focal = row[:, 4].tolist()
    if not min(height, width, focal) > 0:
        raise SourceError(
            f"{FILE}: height {height:g}, width {width:g}, focal length {focal:g}; expected pixels"
        )
    # For each axis: the sides of reduced pictures are rounded one by one.
    fx, fy = focal * size[0] / width, focal * size[1] / height
    return Camera(*size, fx, fy, 0.5 * size[0], 0.5 * size[1])

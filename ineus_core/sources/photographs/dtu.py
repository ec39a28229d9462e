# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scan in the layout of DTU as IDR and NeuS pack it: projections, pictures, masks."""

import logging
import reprlib
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.files import DAMAGED_ARRAY
from ineus_core.sources.parsing import checked_pose
from ineus_core.sources.photographs.photo_set import (
    Photo,
    PhotoSet,
    PhotoSetConfig,
    with_pictures,
)
from ineus_core.sources.photographs.reduced_pictures import cut_to_middle, full_size
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

RGB_SUFFIX = "_rgb"
"""After the number in the names of MonoSDF, beside `_depth`, `_normal` and `_mask`."""
CAMERA_FILES = ("cameras_sphere.npz", "cameras.npz")
# At 45 degrees from the axis; less comes from rounding in the product of the matrices.
_SKEW_PX = 0.5
_BROKEN = (
    *DAMAGED_ARRAY,
    # Of members that are encrypted or packed by a method that Python lacks.
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for an archive that is damaged."""
# An archive may claim gigabytes for a member that is packed into some bytes.
_LARGEST_MEMBER_BYTES = 1 << 16
_LOG = logging.getLogger(__name__)


class DtuConfig(PhotoSetConfig):
    """How a scan of DTU is read."""

    cameras_file: str = Field(
        default="", description="File of the projections; empty: cameras_sphere.npz, cameras.npz"
    )
    full_width_px: int = Field(
        default=0,
        ge=0,
        description="Width of the pictures that the projections are for, where those beside them "
        "were reduced or cut to their middle; 0: theirs, or of MonoSDF's data as it says",
    )
    full_height_px: int = Field(default=0, ge=0, description="Height of those pictures; likewise")
    integer_pixel_centres: bool = Field(
        default=False,
        description="Whether the projections put the centre of the first pixel at 0, not at 0.5",
    )


class DtuSource(PhotoSet):
    """Pictures `image/NNNNNN.png` with projections `world_mat_N`, in the frame of `scale_mat_N`.

    The world is the normalised one, in which the object lies in the unit sphere;
    `dataset_from_world` is `scale_mat` and leads back (to millimetres for DTU).
    """

    kind = "dtu"

    def __init__(
        self,
        path: str | Path,
        config: DtuConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or DtuConfig()
        folder = Path(path)
        matrices = _Projections(_cameras_file(folder, config.cameras_file))
        place, pictures = _pictures(folder)
        masks = numbered_pictures(folder / "mask")
        shift = 0.5 if config.integer_pixel_centres else 0.0
        photos = []
        expected = {i: place / f"{i:06d}.png" for i in range(matrices.count)}
        colours = [pictures.get(index, path) for index, path in expected.items()]
        for index in with_pictures(list(expected), colours, str(folder)):
            colour = colours[index]
            intrinsics, pose = matrices.camera(index)
            size = picture_size(colour, options.max_picture_mpx)
            full = full_size(intrinsics, size, config.full_width_px, config.full_height_px)
            camera = cut_to_middle(_camera(intrinsics, full, shift), size, str(colour))
            photos.append(Photo(colour, camera, pose, masks.get(index)))
            if masks and index not in masks:
                raise SourceError(
                    f"{folder / 'mask' / f'{index:03d}.png'}: no such file, though others have "
                    f"masks"
                )
        super().__init__(
            photos,
            config,
            options,
            dataset_from_world=matrices.dataset_from_world,
            absent=matrices.count - len(photos),
        )


def is_scan(path: Path) -> bool:
    """Decide whether a folder has projections and pictures of this layout."""
    has_cameras = any((path / name).is_file() for name in CAMERA_FILES)
    return has_cameras and bool(_pictures(path)[1])


def _pictures(folder: Path) -> tuple[Path, dict[int, Path]]:
    """Return where the pictures are, and them by number: `image/`, or as MonoSDF has them."""
    for place, suffix in ((folder / "image", ""), (folder, RGB_SUFFIX), (folder / "images", "")):
        found = numbered_pictures(place, suffix)
        if found:
            return place, found
    return folder / "image", {}


def numbered_pictures(folder: Path, after_number: str = "") -> dict[int, Path]:
    """List the pictures of a folder by the number that their name is, zeros or not before it."""
    if not folder.is_dir():
        return {}
    stems = {file: file.stem.removesuffix(after_number) for file in sorted(folder.iterdir())}
    return {
        int(stem): file
        for file, stem in stems.items()
        if stem.isdecimal() and file.stem == stem + after_number
    }


def decompose_projection(
    projection: Float[np.ndarray, "3 4"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]:
    """Split a projection of any scale into intrinsics and `world_from_camera` (not checked)."""
    # The sign of a projection is open; this one makes the rotation proper.
    if np.linalg.det(projection[:, :3]) < 0:
        projection = -projection
    intrinsics, rotation, centre = cv2.decomposeProjectionMatrix(projection)[:3]
    # Focal lengths are positive here; the decomposition leaves their signs open.
    signs = np.diag(np.where(np.diag(intrinsics) < 0, -1.0, 1.0))
    intrinsics, rotation = intrinsics @ signs, signs @ rotation
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = rotation.T
    world_from_camera[:3, 3] = centre[:3, 0] / centre[3, 0]
    return intrinsics / intrinsics[2, 2], world_from_camera


class _Projections:
    """The matrices of a `cameras.npz`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            _check_members(file)
            with np.load(file, allow_pickle=False) as archive:
                self._matrices = {name: archive[name] for name in archive.files}
        except _BROKEN as error:
            raise SourceError(f"{file}: cannot be read as npz ({str(error)[:200]})") from error
        numbers = [
            int(name.rsplit("_", 1)[1])
            for name in self._matrices
            if name.startswith(("world_mat_", "scale_mat_")) and name.rsplit("_", 1)[1].isdecimal()
        ]
        if not numbers:
            raise SourceError(f"{file}: no world_mat_0; expected world_mat_N and scale_mat_N")
        self.count = max(numbers) + 1
        self.dataset_from_world = self._matrix("scale_mat_0")

    def camera(self, index: int) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]:
        """Return intrinsic matrix, and the pose in the normalised world."""
        world, scale = self._matrix(f"world_mat_{index}"), self._matrix(f"scale_mat_{index}")
        # Pictures of two worlds would each be right and yet not belong together.
        if not np.allclose(scale, self.dataset_from_world, rtol=1e-5, atol=1e-6):
            raise SourceError(
                f"{self._file}: scale_mat_{index} differs from scale_mat_0; expected one "
                f"normalised world"
            )
        where = f"{self._file}: world_mat_{index}"
        # From the normalised world into the one of the data set, then into the picture.
        projection = (world @ scale)[:3, :4]
        if abs(np.linalg.det(projection[:, :3])) < 1e-12:
            raise SourceError(f"{where}: has no inverse; expected K [R t]")
        intrinsics, pose = decompose_projection(projection)
        return intrinsics, checked_pose(pose, where)

    def _matrix(self, name: str) -> Float[np.ndarray, "4 4"]:
        if name not in self._matrices:
            raise SourceError(
                f"{self._file}: no {name}, though there are {self.count} pictures; expected it"
            )
        matrix = self._matrices[name]
        is_numeric = np.issubdtype(matrix.dtype, np.number)
        if matrix.shape not in ((4, 4), (3, 4)) or not is_numeric:
            raise SourceError(
                f"{self._file}: {name} of shape {matrix.shape} and {matrix.dtype}; expected (4, 4)"
            )
        # Some programs store only the three rows that count; the fourth is always 0 0 0 1.
        full = np.eye(4)
        full[: len(matrix)] = matrix
        if not np.isfinite(full).all():
            raise SourceError(f"{self._file}: {name} has a NaN or infinite entry; expected none")
        return full


def _check_members(file: Path) -> None:
    """Raise `SourceError` if an archive holds what is too large for a matrix of 16 numbers."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.file_size > _LARGEST_MEMBER_BYTES:
                raise SourceError(
                    f"{file}: {reprlib.repr(member.filename)} of {member.file_size} bytes; "
                    f"expected matrices, of at most {_LARGEST_MEMBER_BYTES}"
                )


def _cameras_file(folder: Path, name: str) -> Path:
    files = [folder / known for known in ((name,) if name else CAMERA_FILES)]
    for file in files:
        if file.is_file():
            return file
    names = " or ".join(file.name for file in files)
    raise SourceError(f"{folder}: no {names}; expected the projections of the pictures")


def _camera(
    intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int], shift_px: float
) -> Camera:
    if abs(intrinsics[0, 1]) > _SKEW_PX:
        _LOG.warning("projection with skew %.3g px, which is left out", intrinsics[0, 1])
    fx, fy, cx, cy = (float(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Camera(*size, fx, fy, cx + shift_px, cy + shift_px)

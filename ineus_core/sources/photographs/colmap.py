# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A model of COLMAP, binary or text, with its pictures: no lens is ignored."""

import logging
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.geometry import rigid_inverse
from ineus_core.sources.parsing import checked_pose, named_file
from ineus_core.sources.photographs.colmap_files import check_model_files
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    normalising_similarity,
)
from ineus_core.sources.photographs.photo_set import (
    Photo,
    PhotoSet,
    PhotoSetConfig,
    PixelMap,
    named_mask,
    with_pictures,
)
from ineus_core.sources.picture_files import Size, picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)
MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", "colmap_sparse/0", ".")
_NAMES = ("cameras", "images")
_LOWEST_PROPORTION_ERROR = 0.01

# Where each parameter of a model goes: fx fy cx cy, then the coefficients of the named distortion.
_ONE_FOCAL, _TWO_FOCALS = (0, 0, 1, 2), (0, 1, 2, 3)
_MODELS: dict[str, tuple[tuple[int, ...], str, tuple[int, ...]]] = {
    "SIMPLE_PINHOLE": (_ONE_FOCAL, "none", ()),
    "PINHOLE": (_TWO_FOCALS, "none", ()),
    "SIMPLE_RADIAL": (_ONE_FOCAL, "plumb_bob", (3,)),
    "RADIAL": (_ONE_FOCAL, "plumb_bob", (3, 4)),
    "OPENCV": (_TWO_FOCALS, "plumb_bob", (4, 5, 6, 7)),
    "FULL_OPENCV": (_TWO_FOCALS, "rational_polynomial", (4, 5, 6, 7, 8, 9, 10, 11)),
    "OPENCV_FISHEYE": (_TWO_FOCALS, "equidistant", (4, 5, 6, 7)),
    "SIMPLE_RADIAL_FISHEYE": (_ONE_FOCAL, "equidistant", (3,)),
    "SIMPLE_FISHEYE": (_ONE_FOCAL, "equidistant", ()),
    "FISHEYE": (_TWO_FOCALS, "equidistant", ()),
    "RADIAL_FISHEYE": (_ONE_FOCAL, "equidistant", (3, 4)),
}
# OpenCV takes 4, 5, 8 or more coefficients, never fewer.
_FEWEST_COEFFICIENTS = 4


class ColmapConfig(PhotoSetConfig):
    """How a model of COLMAP is read."""

    images_folder: str = Field(
        default="images", description="Folder of the pictures; their size may be a reduced one"
    )
    model_folder: str = Field(
        default="",
        description="Folder of the model; empty: the largest of sparse/0, sparse/1, ..., "
        "or sparse, or the path itself",
    )
    normalisation: NormalisationConfig = Field(
        default=NormalisationConfig(), description="Layout of the world"
    )


class ColmapSource(PhotoSet):
    """Registered pictures of a COLMAP model, by name, with `masks/` if there are any.

    `points` are those of the model, in the world.
    """

    kind = "colmap"

    def __init__(
        self,
        path: str | Path,
        config: ColmapConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or ColmapConfig()
        folder = Path(path)
        model_folder = _model_folder(folder, config.model_folder)
        if not config.model_folder:
            model_folder = _largest_model(model_folder)
        model = read_model(model_folder)
        # COLMAP lists pictures in any order; their names are mostly in that of the walk.
        images = sorted(
            (model.images[i] for i in model.reg_image_ids()),
            key=lambda image: _name(image, model_folder),
        )
        if not images:
            raise SourceError(f"{model_folder}: 0 registered pictures; expected at least one")
        pictures = folder / config.images_folder
        colours = {i.name: named_file(pictures, i.name, str(model_folder)) for i in images}
        registered = len(images)
        try:
            images = with_pictures(images, [colours[i.name] for i in images], str(model_folder))
        except SourceError as error:
            raise SourceError(f"{error}{_found_instead(folder, images[0].name)}") from error
        poses = [_pose(image, model_folder) for image in images]
        points = np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3)
        move = normalising_similarity(poses, points, config.normalisation, str(model_folder))
        lenses = {i: _Lens(camera) for i, camera in model.cameras.items()}
        photos = []
        for image, pose in zip(images, poses, strict=True):
            colour = colours[image.name]
            size = picture_size(colour, options.max_picture_mpx)
            camera, undistort = lenses[image.camera_id].of_picture(size, colour)
            world_from_camera = moved_pose(move, pose)
            mask = named_mask(folder / "masks", image.name)
            photos.append(Photo(colour, camera, world_from_camera, mask, None, undistort))
        self.points = points @ move[:3, :3].T + move[:3, 3]
        super().__init__(
            photos,
            config,
            options,
            dataset_from_world=np.linalg.inv(move),
            absent=registered - len(images),
            one_size=False,
        )
        if model.num_images() > registered:
            self.dropped["not_registered"] = model.num_images() - registered


def _found_instead(folder: Path, name: str) -> str:
    """Return where the pictures of a model are that are not in their place, if it is near."""
    whole = [
        inner
        for inner in sorted((*folder.glob("*/"), *folder.glob("*/*/")))
        if holds_model(inner) and (inner / "images").is_dir()
    ]
    if whole:
        return f"; {whole[0]} holds a model with pictures: `ineus run {whole[0]}`"
    others = sorted(inner.name for inner in folder.glob("*/") if (inner / name).is_file())
    return f"; source.colmap.images_folder={others[0]} reads those there" if others else ""


def import_pycolmap() -> Any:
    """Import the pycolmap package, which is optional.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingDependencyError("pycolmap", extra="colmap") from error
    if threading.current_thread() is threading.main_thread():
        # Its log library takes SIGTERM for a crash from now on, and prints a stack of C++.
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
    return pycolmap


def holds_model(path: Path) -> bool:
    """Decide whether a folder has a model of COLMAP where one is looked for."""
    return any(_first_model(path / folder) is not None for folder in MODEL_FOLDERS)


def read_model(folder: Path) -> Any:
    """Read a `pycolmap.Reconstruction`, binary or text.

    Raises:
        MissingDependencyError: pycolmap is not installed.
        SourceError: It cannot be read.
    """
    pycolmap = import_pycolmap()
    check_model_files(folder)
    # Its own messages would stand between those of the command line.
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    try:
        return pycolmap.Reconstruction(str(folder))
    except Exception as error:
        first = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise SourceError(f"{folder}: cannot be read as a model of COLMAP ({first})") from error


class _Lens:
    """A camera of COLMAP as ours: by its own distortion, or as a pinhole after undistortion."""

    def __init__(self, camera: Any) -> None:
        self._colmap = camera
        # By size: the map of a lens is made once, not for each picture.
        self._by_size: dict[Size, tuple[Camera, PixelMap | None]] = {}

    def of_picture(self, size: Size, path: Path) -> tuple[Camera, PixelMap | None]:
        """Return the camera for a picture of the size of the model or a reduced one."""
        if size not in self._by_size:
            camera, undistort = _converted(self._colmap, path)
            stored = self._colmap.width, self._colmap.height
            if size != stored:
                self._check_reduced(size, path)
                camera, undistort = _reduced(camera, undistort, stored, size)
            self._by_size[size] = camera, undistort
        return self._by_size[size]

    def _check_reduced(self, size: Size, path: Path) -> None:
        width, height = self._colmap.width, self._colmap.height
        error = abs(size[0] / width - size[1] / height) * width / size[0]
        # Both sides are rounded to whole pixels, which is more than 1 % of a small picture.
        most = max(_LOWEST_PROPORTION_ERROR, 2 / min(size))
        if error > most or size[0] > width + max(1, _LOWEST_PROPORTION_ERROR * width):
            raise SourceError(
                f"{path}: picture of {size[0]} x {size[1]} pixels; expected the camera's {width} "
                f"x {height}, or that reduced"
            )


def _converted(colmap: Any, path: Path) -> tuple[Camera, PixelMap | None]:
    """Return the camera at full size; COLMAP has pixel centres at + 0.5 as we have."""
    name, size = colmap.model.name, (colmap.width, colmap.height)
    if name not in _MODELS:
        return _undistorted(colmap, path)
    intrinsics, distortion, order = _MODELS[name]
    fx, fy, cx, cy = (float(colmap.params[i]) for i in intrinsics)
    coefficients = [float(colmap.params[i]) for i in order]
    # Without any the pixels of a pinhole need no undistortion, which is slow.
    if distortion != "equidistant" and not any(coefficients):
        return Camera(*size, fx, fy, cx, cy), None
    coefficients += [0.0] * (_FEWEST_COEFFICIENTS - len(coefficients))
    return Camera(*size, fx, fy, cx, cy, distortion, tuple(coefficients)), None


def _undistorted(colmap: Any, path: Path) -> tuple[Camera, PixelMap]:
    """Return a pinhole, and where its pixels lie in the picture by COLMAP's model of the lens."""
    pycolmap = import_pycolmap()
    try:
        pinhole = pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), colmap)
    except Exception as error:
        raise SourceError(
            f"{path}: camera of model {colmap.model.name} has no pinhole; expected a lens with a "
            f"field of view below 180 degrees"
        ) from error
    fx, fy, cx, cy = (float(value) for value in pinhole.params)
    camera = Camera(pinhole.width, pinhole.height, fx, fy, cx, cy)
    columns, rows = np.meshgrid(
        np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5
    )
    x, y = (columns.reshape(-1) - cx) / fx, (rows.reshape(-1) - cy) / fy
    pixels = np.asarray(colmap.img_from_cam(np.stack((x, y, np.ones_like(x)), axis=1)))
    shape = (camera.height_px, camera.width_px)
    stored = (colmap.width, colmap.height)
    return camera, PixelMap(pixels[:, 0].reshape(shape), pixels[:, 1].reshape(shape), stored)


def _reduced(
    camera: Camera, undistort: PixelMap | None, stored: Size, size: Size
) -> tuple[Camera, PixelMap | None]:
    x, y = size[0] / stored[0], size[1] / stored[1]
    if undistort is None:
        return camera.resized(*size), None
    # The undistorted picture keeps its size; it reads from a smaller file.
    return camera, PixelMap(undistort.columns * x, undistort.rows * y, size)


def _model_folder(folder: Path, name: str) -> Path:
    candidates = [folder / place for place in ((name,) if name else MODEL_FOLDERS)]
    for candidate in candidates:
        found = _first_model(candidate)
        if found is not None:
            return found
    raise SourceError(
        f"{candidates[0]}: no cameras and images as .bin or .txt; expected a model of COLMAP"
    )


def _first_model(place: Path) -> Path | None:
    """Return a model where one is looked for; of numbered ones the first may be lacking."""
    if _is_model(place):
        return place
    beside = place.parent.glob("*") if place.name.isdecimal() else ()
    parts = [part for part in beside if part.name.isdecimal() and _is_model(part)]
    return min(parts, key=_part_number, default=None)


def _largest_model(first: Path) -> Path:
    """Return the model with the most pictures of those beside each other."""
    parts = [f for f in first.parent.glob("*") if f.name.isdecimal() and _is_model(f)]
    if not first.name.isdecimal() or len(parts) < 2:
        return first
    counts = {part: _registered_count(part) for part in sorted(parts, key=_part_number)}
    largest = max(counts, key=lambda part: counts[part])
    listed = ", ".join(f"{part.name} with {count}" for part, count in counts.items())
    _LOG.warning(
        "%s: %d models (%s pictures); the largest is read; source.colmap.model_folder sets one",
        first.parent,
        len(counts),
        listed,
    )
    return largest


def _registered_count(part: Path) -> int:
    try:
        return int(read_model(part).num_reg_images())
    except SourceError as error:
        _LOG.warning("%s", error)
        return 0


def _part_number(folder: Path) -> int:
    return int(folder.name)


def _is_model(folder: Path) -> bool:
    return any(all((folder / f"{n}.{end}").is_file() for n in _NAMES) for end in ("bin", "txt"))


def _name(image: Any, folder: Path) -> str:
    try:
        name: str = image.name
    except UnicodeDecodeError as error:
        raise SourceError(f"{folder}: name of picture {image.image_id}: {error}") from error
    return name


def _pose(image: Any, folder: Path) -> Float[np.ndarray, "4 4"]:
    camera_from_world = np.asarray(image.cam_from_world().matrix(), dtype=np.float64)
    return rigid_inverse(checked_pose(camera_from_world, f"{folder}: picture {image.name}"))

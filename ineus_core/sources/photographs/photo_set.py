# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the sources of photographs share: cameras, masks, backgrounds, one size, stamps."""

import functools
import glob
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.doubts import warn_of_camera, warn_of_poses
from ineus_core.sources.near_misses import PICTURE_SUFFIXES
from ineus_core.sources.photographs.outlines import outline_an_object
from ineus_core.sources.picture_files import (
    Size,
    check_size,
    fitted_depth,
    read_depth,
    read_mask,
    read_picture,
    returns_of,
)
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Camera, Frame

_SAME_CAMERA_PX = 0.01
_LARGEST_ABSENT_SHARE = 0.5
_NEARLY_ONE_SIZE = 0.01
_MASKS_LOOKED_AT = 8

Item = TypeVar("Item")


class PhotoSetConfig(ConfigModel):
    """Size, masks and background of photographs."""

    downscale: float = Field(
        default=1.0, gt=0, description="Pictures are made smaller by this factor"
    )
    width_px: int = Field(
        default=0, ge=0, description="Width of the pictures instead of downscale; 0: by downscale"
    )
    height_px: int = Field(
        default=0, ge=0, description="Height of the pictures; 0: in proportion to the width"
    )
    usual_masks: ClassVar[Literal["off", "exclude"]] = "off"
    """What auto means where masks do not outline an object."""

    masks: Literal["auto", "off", "composite", "exclude"] = Field(
        default="auto",
        description="off: pixels outside of the masks, or transparent ones, are used as they are; "
        "composite: they take the colour of the background, and do not show the object; exclude: "
        "they are not used; auto: composite where all outline an object",
    )
    background: Literal["white", "black"] = Field(
        default="white", description="Colour behind pictures with alpha and behind masks"
    )


@dataclass(frozen=True)
class PixelMap:
    """Where the pixels of an undistorted picture lie in the stored one, from its corner."""

    columns: Float[np.ndarray, "h w"]
    rows: Float[np.ndarray, "h w"]
    stored_size: Size
    """Width and height of the picture in its file."""

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Undistort a picture."""
        # OpenCV counts from the centre of the first pixel.
        x, y = (self.columns - 0.5).astype(np.float32), (self.rows - 0.5).astype(np.float32)
        return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Photo:
    """The files of one picture, its camera at the stored size, and its pose in the world."""

    colour: Path
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    mask: Path | None = None
    depth: Path | None = None
    undistort: PixelMap | None = None
    """For lenses that `Camera` does not know; `camera` is then the one after it."""

    @property
    def stored_size(self) -> Size:
        """Return the width and height that the file should have."""
        if self.undistort is not None:
            return self.undistort.stored_size
        return self.camera.width_px, self.camera.height_px


class PhotoSet:
    """A source of photographs, of which one at a time is in memory.

    Args:
        options: Of reading; photographs have no stamps, theirs are the index times the period.
        dataset_from_world: Similarity back to the coordinates of the data set.
        read_depth_m: Reads a depth file, in units of the world.
        absent: Listed pictures that were left out as there is no file, to be counted.
        one_size: The intrinsics do not say what size they are for, so that a picture of another
            size than the rest would have wrong ones.

    Raises:
        SourceError: If there is no picture, a file is missing, or their sizes differ.
    """

    kind = "photo_set"

    def __init__(
        self,
        photos: Sequence[Photo],
        config: PhotoSetConfig,
        options: ReadOptions,
        dataset_from_world: Float[np.ndarray, "4 4"] | None = None,
        read_depth_m: Callable[[Path, Size], np.ndarray] | None = None,
        absent: int = 0,
        one_size: bool = True,
    ) -> None:
        self.dropped: Counter[str] = Counter({"no_picture": absent} if absent else {})
        self.dataset_from_world = np.eye(4) if dataset_from_world is None else dataset_from_world
        self._config = config
        self._photos = list(photos)[: options.max_frames or None]
        self._period_ns = options.frame_period_s * 1e9
        self._read_depth_m = read_depth_m or _depth_of_millimetres
        # Found now, not after minutes of training.
        for photo in self._photos:
            _check_files(photo)
        self.cameras = _unified(_of_one_size([_resized(photo, config) for photo in self._photos]))
        if one_size:
            _check_one_size(self._photos, self.cameras)
        self.camera = self.cameras[0]
        self.masks = config.masks if config.masks != "auto" else self._usual_masks()
        """What becomes of pixels outside of masks."""
        self.world_from_camera = [photo.world_from_camera for photo in self._photos]
        warn_of_camera(self.camera, str(self._photos[0].colour))
        warn_of_poses(self.world_from_camera, str(self._photos[0].colour.parent))

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._photos)

    def __iter__(self) -> Iterator[Frame]:
        """Read the pictures in order; iterating again starts over."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        found = run(functools.partial(self.frame, index) for index in range(len(self)))
        return (frame for frame in found if frame is not None)

    def frame(self, index: int) -> Frame:
        """Read one picture."""
        photo, camera = self._photos[index], self.cameras[index]
        rgb, coverage = self._picture(photo)
        exclude = self.masks == "exclude"
        covered = None if coverage is None else _fitted(coverage, camera)
        return Frame(
            stamp_ns=round(index * self._period_ns),
            camera=camera,
            world_from_camera=photo.world_from_camera,
            rgb=_fitted(rgb, camera),
            depth_m=self._depth(photo, camera),
            mask=None if covered is None or not exclude else covered > 0.5,
            foreground=None if exclude else covered,
        )

    def describe(self) -> dict[str, str]:
        """Describe what is used, for people."""
        masked = sum(photo.mask is not None for photo in self._photos)
        of = f" ({masked} of {len(self)} pictures have one)" if masked else ""
        has_depth = any(photo.depth is not None for photo in self._photos)
        return {"masks": f"{self.masks}{of}", "depth": "files" if has_depth else "none"}

    def _usual_masks(self) -> str:
        """Decide by some of the masks what they are for."""
        some = range(0, len(self), max(1, len(self) // _MASKS_LOOKED_AT))
        outlines: list[Float[np.ndarray, "h w"]] = []
        for index in some:
            try:
                outline = self._outline(index)
            except SourceError:
                # A damaged picture is said when its frame is read.
                continue
            if outline is None:
                return self._config.usual_masks
            outlines.append(outline)
        return "composite" if outline_an_object(outlines) else self._config.usual_masks

    def _outline(self, index: int) -> Float[np.ndarray, "h w"] | None:
        """Read the mask of a picture, or its opacity."""
        photo = self._photos[index]
        if photo.mask is not None:
            return read_mask(photo.mask, photo.stored_size)
        return read_picture(photo.colour, photo.stored_size)[1]

    def foreground(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """Return where the object is, by mask or opacity, or nothing if it is unknown."""
        photo, camera = self._photos[index], self.cameras[index]
        alpha = self._outline(index)
        if alpha is None:
            return None
        alpha = alpha if photo.undistort is None else photo.undistort(alpha)
        return _fitted(alpha, camera) > 0.5

    def _picture(
        self, photo: Photo
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w"] | None]:
        """Return colour over the background and how much of each pixel counts, undistorted."""
        rgb, alpha = read_picture(photo.colour, photo.stored_size)
        if alpha is not None:
            rgb = self._over_background(rgb, alpha)
        coverage = alpha
        if photo.mask is not None and self.masks != "off":
            coverage = read_mask(photo.mask, photo.stored_size)
            if self.masks == "composite":
                rgb = self._over_background(rgb, coverage)
        if photo.undistort is not None:
            rgb = photo.undistort(rgb)
            coverage = None if coverage is None else photo.undistort(coverage)
        return rgb, coverage

    def _over_background(
        self, rgb: UInt8[np.ndarray, "h w 3"], share: Float[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        behind = 255.0 if self._config.background == "white" else 0.0
        mixed = rgb * share[..., None] + behind * (1 - share[..., None])
        return np.round(mixed).astype(np.uint8)

    def _depth(self, photo: Photo, camera: Camera) -> Float[np.ndarray, "h w"] | None:
        if photo.depth is None:
            return None
        depth_m = self._read_depth_m(photo.depth, photo.stored_size).astype(np.float32)
        return returns_of(fitted_depth(depth_m, (camera.width_px, camera.height_px)))


def named_mask(folder: Path, name: str) -> Path | None:
    """Find the mask of a picture in a folder, if there is one."""
    # COLMAP appends .png to the name; other programs keep it or replace the suffix.
    place = folder / name
    candidates = (folder / f"{name}.png", place, place.with_suffix(".png"))
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        others = sorted(place.parent.glob(f"{glob.escape(place.stem)}.*"))
        found = next((file for file in others if file.suffix.lower() in PICTURE_SUFFIXES), None)
    return found


def with_pictures(items: Sequence[Item], pictures: Sequence[Path], where: str) -> list[Item]:
    """Return the items of a listing whose pictures are there.

    Raises:
        SourceError: More than half of them are absent.
    """
    absent = [picture for picture in pictures if not picture.is_file()]
    if len(absent) > _LARGEST_ABSENT_SHARE * len(pictures):
        raise SourceError(
            f"{absent[0]}: no such file, though there is a pose for it; {len(absent)} of the "
            f"{len(pictures)} pictures of {where} are absent, expected at most half of them"
        )
    return [item for item, path in zip(items, pictures, strict=True) if path.is_file()]


def _depth_of_millimetres(path: Path, size: Size) -> np.ndarray:
    return read_depth(path, size) / np.float32(1000)


def _check_files(photo: Photo) -> None:
    check_size(photo.colour, photo.stored_size)
    for path in (photo.mask, photo.depth):
        if path is not None and not path.is_file():
            raise SourceError(f"{path}: no such file, though there is a pose for it")


def _resized(photo: Photo, config: PhotoSetConfig) -> Camera:
    camera = photo.camera
    width, height = camera.width_px, camera.height_px
    if not config.width_px and not config.height_px:
        new_width, new_height = camera.no_narrower(
            int(width / config.downscale + 0.5), int(height / config.downscale + 0.5)
        )
    else:
        new_width = config.width_px or max(1, round(width * config.height_px / height))
        new_height = config.height_px or max(1, round(height * config.width_px / width))
        if abs(new_height - height * new_width / width) > 1:
            raise SourceError(
                f"{photo.colour}: picture of {width} x {height} pixels cannot become "
                f"{new_width} x {new_height}; expected the same proportions"
            )
    if (new_width, new_height) == (width, height):
        return camera
    return camera.resized(new_width, new_height)


def _of_one_size(cameras: list[Camera]) -> list[Camera]:
    """Bring cameras whose sizes differ by some pixels to the commonest size."""
    sizes = Counter((camera.width_px, camera.height_px) for camera in cameras)
    if len(sizes) == 1:
        return cameras
    width, height = sizes.most_common(1)[0][0]
    # A pixel is more than a hundredth of a small picture.
    across, down = (max(1.0, _NEARLY_ONE_SIZE * length) for length in (width, height))
    return [
        camera.resized(width, height)
        if abs(camera.width_px - width) <= across and abs(camera.height_px - height) <= down
        else camera
        for camera in cameras
    ]


def _check_one_size(photos: Sequence[Photo], cameras: Sequence[Camera]) -> None:
    first = cameras[0]
    for photo, camera in zip(photos, cameras, strict=True):
        if (camera.width_px, camera.height_px) != (first.width_px, first.height_px):
            raise SourceError(
                f"{photo.colour}: {camera.width_px} x {camera.height_px} pixels, but "
                f"{photos[0].colour.name} has {first.width_px} x {first.height_px}; expected "
                f"one size (width_px and height_px make it so)"
            )


def _unified(cameras: list[Camera]) -> list[Camera]:
    """Return one camera for many that differ by rounding: the device keeps the rays of each."""
    first = cameras[0]
    kinds = {(c.width_px, c.height_px, c.distortion_model, c.distortion) for c in cameras}
    numbers = np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras])
    if len(kinds) > 1 or np.ptp(numbers, axis=0).max() > _SAME_CAMERA_PX:
        return cameras
    fx, fy, cx, cy = np.median(numbers, axis=0).tolist()
    size = first.width_px, first.height_px
    return [Camera(*size, fx, fy, cx, cy, first.distortion_model, first.distortion)] * len(cameras)


def _fitted(picture: np.ndarray, camera: Camera) -> np.ndarray:
    size = camera.width_px, camera.height_px
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    # The mean over an area keeps fine patterns from turning into coarse ones.
    shrinks = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

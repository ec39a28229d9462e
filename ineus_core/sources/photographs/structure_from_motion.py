# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses and cameras of plain photographs or a video, by the structure from motion of pycolmap."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.files import replacing
from ineus_core.sources.photographs.colmap import import_pycolmap
from ineus_core.sources.picture_files import picture_size

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_FEWEST_PICTURES = 3
# Pairs grow with the square of it: 4,950 of 100 pictures.
_EXHAUSTIVE_PICTURES = 100


class StructureFromMotionConfig(ConfigModel):
    """How poses are found for photographs."""

    every: int = Field(
        default=1,
        ge=1,
        description="Use every N-th picture",
    )
    max_images: int = Field(
        default=0, ge=0, description="Pictures after these are left out; 0: none"
    )
    max_image_size_px: int = Field(
        default=1600, ge=64, description="Features are sought in pictures reduced to this length"
    )
    camera_model: str = Field(
        default="SIMPLE_RADIAL",
        description="COLMAP's name of the lens; few pictures do not refine more coefficients",
    )
    camera: Literal["single", "per_folder", "per_image"] = Field(
        default="single", description="Which pictures share a camera"
    )
    matcher: Literal["auto", "exhaustive", "sequential"] = Field(
        default="auto",
        description="Which pictures are compared: all, or neighbours; auto: neighbours for a "
        "video and beyond 100 pictures",
    )
    overlap: int = Field(default=10, ge=1, description="Neighbours compared on each side")
    min_inlier_ratio: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Share of the matches of two pictures that one motion must explain; parts that"
        " look alike match at random",
    )
    threads: int = Field(default=0, ge=0, description="Threads; 0: one for each core")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the random samples")


class Registration:
    """What came out: how many pictures have a pose, of how many, and how well they fit.

    Args:
        reprojection_error_px: Mean over all observations.
    """

    def __init__(
        self, registered: int, pictures: int, points: int, reprojection_error_px: float
    ) -> None:
        self.registered, self.pictures, self.points = registered, pictures, points
        self.reprojection_error_px = reprojection_error_px


def reconstruct_poses(
    path: str | Path,
    out: str | Path,
    config: StructureFromMotionConfig | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Registration:
    """Write a folder that the source `colmap` opens: `images/` and `sparse/0/`.

    Args:
        path: A folder of pictures or a video.
        out: Appears when the work is done; what was there is replaced.
        on_progress: Called with the name of each stage as it begins.

    Raises:
        MissingDependencyError: pycolmap is not installed.
        ConfigError: There is no such camera model.
        SourceError: There are too few pictures, or none got a pose.
    """
    config = config or StructureFromMotionConfig()
    pycolmap = import_pycolmap()
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    path = Path(path)
    with replacing(out) as folder:
        (folder / "images").mkdir(parents=True)
        on_progress("pictures")
        is_video = path.is_file()
        names = (_cut_video if is_video else _copy_pictures)(path, folder / "images", config)
        if len(names) < _FEWEST_PICTURES:
            raise SourceError(
                f"{path}: {len(names)} pictures; expected at least {_FEWEST_PICTURES}"
            )
        on_progress(f"features of {len(names)} pictures")
        _extract(pycolmap, folder, names, config)
        on_progress("matching")
        _match(pycolmap, folder, len(names), is_video, config)
        on_progress("poses")
        return _map(pycolmap, folder, len(names), path, config)


def _copy_pictures(path: Path, images: Path, config: StructureFromMotionConfig) -> list[str]:
    if not path.is_dir():
        raise SourceError(f"{path}: no such file or folder; expected pictures or a video")
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    names = []
    for file in _chosen(found, config):
        # A broken picture is named here; COLMAP would leave it out in silence.
        picture_size(file)
        name = file.relative_to(path)
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, images / name)
        names.append(name.as_posix())
    return names


def _chosen(files: Sequence[Path], config: StructureFromMotionConfig) -> Sequence[Path]:
    return files[:: config.every][: config.max_images or None]


def _cut_video(path: Path, images: Path, config: StructureFromMotionConfig) -> list[str]:
    video = cv2.VideoCapture(str(path))
    names: list[str] = []
    try:
        if not video.isOpened():
            raise SourceError(f"{path}: cannot be read as a video; expected one, or a folder")
        index = 0
        while not config.max_images or len(names) < config.max_images:
            # Decoding is needed to go on, converting is not.
            if not video.grab():
                break
            if index % config.every == 0:
                ok, picture = video.retrieve()
                if not ok:
                    raise SourceError(f"{path}: frame {index} cannot be decoded")
                names.append(f"{index:06d}.jpg")
                cv2.imwrite(str(images / names[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
            index += 1
    finally:
        video.release()
    return names


def _extract(
    pycolmap: Any, folder: Path, names: Sequence[str], config: StructureFromMotionConfig
) -> None:
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = config.max_image_size_px
    options.num_threads = config.threads or -1
    options.use_gpu = False
    reader = pycolmap.ImageReaderOptions()
    if config.camera_model not in pycolmap.CameraModelId.__members__:
        known = ", ".join(name for name in pycolmap.CameraModelId.__members__ if name != "INVALID")
        raise ConfigError(f"camera_model {config.camera_model!r}: expected one of {known}")
    reader.camera_model = config.camera_model
    modes = {
        "single": pycolmap.CameraMode.SINGLE,
        "per_folder": pycolmap.CameraMode.PER_FOLDER,
        "per_image": pycolmap.CameraMode.PER_IMAGE,
    }
    pycolmap.set_random_seed(config.seed)
    pycolmap.extract_features(
        _database(folder),
        folder / "images",
        image_names=list(names),
        camera_mode=modes[config.camera],
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _match(
    pycolmap: Any, folder: Path, count: int, is_video: bool, config: StructureFromMotionConfig
) -> None:
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = config.threads or -1
    options.use_gpu = False
    verification = pycolmap.TwoViewGeometryOptions()
    verification.min_inlier_ratio = config.min_inlier_ratio
    in_order = is_video or count > _EXHAUSTIVE_PICTURES
    if config.matcher == "sequential" or (config.matcher == "auto" and in_order):
        pairing = pycolmap.SequentialPairingOptions()
        pairing.overlap = config.overlap
        pycolmap.match_sequential(
            _database(folder), options, pairing, verification, device=pycolmap.Device.cpu
        )
    else:
        pycolmap.match_exhaustive(
            _database(folder),
            options,
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )


def _map(
    pycolmap: Any, folder: Path, count: int, path: Path, config: StructureFromMotionConfig
) -> Registration:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = config.threads or -1
    options.random_seed = config.seed
    # Ten by default, with which a model of fewer pictures would be thrown away.
    options.min_model_size = _FEWEST_PICTURES
    # The mapper writes all the models that it makes; only the largest is kept.
    all_models = folder / "models"
    all_models.mkdir()
    models = pycolmap.incremental_mapping(
        _database(folder), folder / "images", all_models, options=options
    )
    best = max(models.values(), key=lambda model: model.num_reg_images(), default=None)
    if best is None or best.num_reg_images() == 0:
        raise SourceError(
            f"{path}: 0 of {count} pictures registered; expected sharp ones with texture that "
            f"overlap by half or more, taken from different places"
        )
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    best.write_binary(str(sparse))
    shutil.rmtree(all_models)
    for file in folder.glob(f"{_database(folder).name}*"):
        file.unlink()
    error_px = float(best.compute_mean_reprojection_error())
    return Registration(best.num_reg_images(), count, best.num_points3D(), error_px)


def _database(folder: Path) -> Path:
    return folder / "database.db"

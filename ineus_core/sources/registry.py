# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of sources by name, and how the content of a path tells its kind."""

import difflib
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.sources.bags.rosbag import RosbagConfig, RosbagSource
from ineus_core.sources.photographs import blended_mvs, blender, colmap, dtu, transforms_json
from ineus_core.sources.photographs.blended_mvs import BlendedMvsConfig, open_blended_mvs
from ineus_core.sources.photographs.blender import BlenderConfig, BlenderSource
from ineus_core.sources.photographs.colmap import ColmapConfig, ColmapSource
from ineus_core.sources.photographs.dtu import DtuConfig, DtuSource
from ineus_core.sources.photographs.transforms_json import (
    TransformsJsonConfig,
    TransformsJsonSource,
)
from ineus_core.sources.sequences import replica
from ineus_core.sources.sequences.posed_images import PosedImagesConfig, PosedImagesSource
from ineus_core.sources.sequences.replica import ReplicaConfig, ReplicaSource
from ineus_core.sources.sequences.seven_scenes import (
    SevenScenesConfig,
    SevenScenesSource,
    is_sequence,
)
from ineus_core.sources.sequences.tum import TumConfig, TumSource
from ineus_core.sources.source import Source
from ineus_core.sources.synthetic.source import SyntheticConfig, SyntheticSource

BAG_SUFFIXES = (".mcap", ".db3")
SYNTHETIC_SCENES = ("room", "object")


class SourceConfig(ConfigModel):
    """What is read of a source, and how each kind is read."""

    max_frames: int = Field(
        default=0, ge=0, description="Frames after this many are left out; 0: none is"
    )
    min_depth_m: float = Field(
        default=0.1, ge=0, description="Depth returns nearer than this count as none, in metres"
    )
    max_depth_m: float = Field(
        default=10.0, gt=0, description="Depth returns farther than this count as none, in metres"
    )
    frame_period_s: float = Field(
        default=0.1, gt=0, description="Time between pictures that have no stamps, in seconds"
    )
    rosbag: RosbagConfig = Field(default=RosbagConfig(), description="ROS 2 bags")
    posed_images: PosedImagesConfig = Field(
        default=PosedImagesConfig(), description="Folders of posed images"
    )
    seven_scenes: SevenScenesConfig = Field(
        default=SevenScenesConfig(), description="Sequences of 7-Scenes"
    )
    tum: TumConfig = Field(default=TumConfig(), description="Sequences of the TUM benchmark")
    replica: ReplicaConfig = Field(
        default=ReplicaConfig(), description="Sequences of Replica in the layout of NICE-SLAM"
    )
    blender: BlenderConfig = Field(
        default=BlenderConfig(), description="Scenes in the layout of NeRF-Synthetic"
    )
    dtu: DtuConfig = Field(
        default=DtuConfig(), description="Scans of DTU as IDR and NeuS pack them"
    )
    colmap: ColmapConfig = Field(default=ColmapConfig(), description="Models of COLMAP")
    blended_mvs: BlendedMvsConfig = Field(
        default=BlendedMvsConfig(), description="Scenes of BlendedMVS"
    )
    transforms_json: TransformsJsonConfig = Field(
        default=TransformsJsonConfig(), description="Captures of nerfstudio and instant-ngp"
    )
    synthetic: SyntheticConfig = Field(
        default=SyntheticConfig(), description="The built-in scenes"
    )

    @property
    def depth_range_m(self) -> tuple[float, float]:
        """Least and largest depth that counts."""
        return self.min_depth_m, self.max_depth_m


def open_source(
    path: str | Path, kind: str = "auto", config: SourceConfig | None = None
) -> Source:
    """Open a bag, a data set folder or a built-in scene (`synthetic`, `synthetic:object`).

    Raises:
        ConfigError: If the kind is unknown.
        SourceError: If the path does not hold what the kind expects.
    """
    config = config or SourceConfig()
    if kind == "auto":
        kind = source_kind(path)
    if kind not in _OPENERS:
        raise ConfigError(_unknown_kind(kind))
    if kind != "synthetic":
        _check_exists(Path(path))
    return _OPENERS[kind](path, config)


def source_kind(path: str | Path) -> str:
    """Find the kind of source from the content of a path.

    Raises:
        SourceError: If there is nothing, or nothing known, at the path.
    """
    if _is_synthetic(path):
        return "synthetic"
    path = Path(path)
    _check_exists(path)
    for kind, matches in _CONTENT.items():
        if matches(path):
            return kind
    known = ", ".join(source_kinds())
    raise SourceError(
        f"{path}: holds no source that can be recognised; expected one of {known}, "
        f"or --source to say which"
    )


def source_kinds() -> tuple[str, ...]:
    """Names of all kinds."""
    return tuple(_OPENERS)


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if path.is_dir() and not any(path.iterdir()):
        raise SourceError(f"{path}: the folder is empty; expected a bag or a data set")


def _unknown_kind(kind: str) -> str:
    near = difflib.get_close_matches(kind, _OPENERS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown source {kind!r}: expected auto or one of {', '.join(_OPENERS)}{hint}"


def _is_synthetic(path: str | Path) -> bool:
    return str(path).partition(":")[0] == "synthetic" and not Path(path).exists()


def _holds_bag(path: Path) -> bool:
    if path.is_file():
        return path.suffix in BAG_SUFFIXES
    return (path / "metadata.yaml").is_file() or any(
        any(path.glob(f"*{suffix}")) for suffix in BAG_SUFFIXES
    )


def _holds_seven_scenes(path: Path) -> bool:
    return path.is_dir() and any(map(is_sequence, (path, *path.glob("*/"))))


_CONTENT: dict[str, Callable[[Path], bool]] = {
    "rosbag": _holds_bag,
    "posed_images": lambda path: (path / "poses.txt").is_file() and (path / "images").is_dir(),
    "tum": lambda path: (path / "rgb.txt").is_file() and (path / "groundtruth.txt").is_file(),
    "seven_scenes": _holds_seven_scenes,
    "replica": replica.is_sequence,
    "blender": blender.is_scene,
    # A capture of nerfstudio often holds the model of COLMAP that it was made from.
    "transforms_json": transforms_json.is_listing,
    "dtu": dtu.is_scan,
    "blended_mvs": blended_mvs.is_scene,
    "colmap": colmap.holds_model,
}


def _open_synthetic(path: str | Path, config: SourceConfig) -> Source:
    scene = str(path).partition(":")[2] or config.synthetic.scene
    if str(path).partition(":")[0] != "synthetic" or scene not in SYNTHETIC_SCENES:
        raise SourceError(
            f"{path}: no built-in scene; expected synthetic, "
            f"{' or '.join(f'synthetic:{name}' for name in SYNTHETIC_SCENES)}"
        )
    settings = config.synthetic.model_copy(update={"scene": scene})
    return SyntheticSource(settings, config.depth_range_m, config.max_frames)


_OPENERS: dict[str, Callable[[str | Path, SourceConfig], Source]] = {
    "rosbag": lambda path, config: RosbagSource(
        path, config.rosbag, config.depth_range_m, config.max_frames
    ),
    "posed_images": lambda path, config: PosedImagesSource(
        path, config.posed_images, config.depth_range_m, config.max_frames
    ),
    "seven_scenes": lambda path, config: SevenScenesSource(
        path, config.seven_scenes, config.depth_range_m, config.max_frames
    ),
    "tum": lambda path, config: TumSource(
        path, config.tum, config.depth_range_m, config.max_frames
    ),
    "replica": lambda path, config: ReplicaSource(
        path, config.replica, config.depth_range_m, config.max_frames, config.frame_period_s
    ),
    "blender": lambda path, config: BlenderSource(
        path, config.blender, config.depth_range_m, config.max_frames, config.frame_period_s
    ),
    "dtu": lambda path, config: DtuSource(
        path, config.dtu, config.depth_range_m, config.max_frames, config.frame_period_s
    ),
    "colmap": lambda path, config: ColmapSource(
        path, config.colmap, config.depth_range_m, config.max_frames, config.frame_period_s
    ),
    "blended_mvs": lambda path, config: open_blended_mvs(
        path, config.blended_mvs, config.depth_range_m, config.max_frames, config.frame_period_s
    ),
    "transforms_json": lambda path, config: TransformsJsonSource(
        path,
        config.transforms_json,
        config.depth_range_m,
        config.max_frames,
        config.frame_period_s,
    ),
    "synthetic": _open_synthetic,
}

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of the kinds of sources, and how the content of a path tells its kind."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, MissingFileError, SourceError
from ineus_core.files import check_source_exists
from ineus_core.sources.adjustment import Adjustment, PoseReadingConfig, adjusted
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.sources.bags.storage import is_bag
from ineus_core.sources.near_misses import missing_part
from ineus_core.sources.photographs import (
    BlendedMvsConfig,
    BlenderConfig,
    BlenderSource,
    ColmapConfig,
    ColmapSource,
    DtuConfig,
    DtuSource,
    LlffConfig,
    LlffSource,
    SdfStudioConfig,
    SdfStudioSource,
    TransformsJsonConfig,
    TransformsJsonSource,
    blended_mvs,
    blender,
    colmap,
    dtu,
    llff,
    sdfstudio,
    transforms_json,
)
from ineus_core.sources.picture_files import MOST_MPX
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences import (
    PolycamConfig,
    PolycamSource,
    PosedImagesConfig,
    PosedImagesSource,
    Record3DConfig,
    Record3DSource,
    ReplicaConfig,
    ReplicaSource,
    RgbdFolderConfig,
    RgbdFolderSource,
    ScanNetConfig,
    ScanNetSource,
    SevenScenesConfig,
    SevenScenesSource,
    StrayScannerConfig,
    StrayScannerSource,
    TumConfig,
    TumSource,
    polycam,
    posed_images,
    record3d,
    replica,
    rgbd_folder,
    scannet,
    seven_scenes,
    stray_scanner,
    tum,
)
from ineus_core.sources.source import Source
from ineus_core.sources.synthetic import SyntheticConfig, is_built_in, open_built_in

OpenFunction = Callable[[str | Path, Any, ReadOptions], Source]
"""Opens a path with the settings of its kind and those that all kinds share."""


class SourceConfig(ConfigModel):
    """What is read of a source, and how each kind is read."""

    model_config = ConfigDict(extra="allow")
    added_sections: ClassVar[dict[str, type[ConfigModel]]] = {}

    max_frames: int = Field(
        default=0, ge=0, description="Frames after this many are left out; 0: none is"
    )
    frame_period_s: float = Field(
        default=0.1, gt=0, description="Time between pictures that have no stamps, in seconds"
    )
    max_picture_mpx: float = Field(
        default=MOST_MPX,
        gt=0,
        # Pillow refuses twice its MAX_IMAGE_PIXELS, 178.9 million, whatever is set here.
        le=178,
        description="Millions of pixels of a picture above which its file counts as damaged",
    )
    poses: PoseReadingConfig = Field(
        default=PoseReadingConfig(), description="How poses are meant, of sources of all kinds"
    )
    depth_factor: float = Field(
        default=1.0,
        gt=0,
        description="Factor on depth, for a source whose unit is not what its format says",
    )
    focal_factor: float = Field(
        default=1.0,
        gt=0,
        description="Factor on focal lengths, for a source whose calibration is off",
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        description="Factor on positions and depth alike, for a scene far smaller or larger than "
        "a room, whose size all other lengths are for; meshes stay in the unit of the source",
    )
    rosbag: RosbagConfig = Field(default=RosbagConfig(), description="Bags of ROS 2 and ROS 1")
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
    scannet: ScanNetConfig = Field(
        default=ScanNetConfig(), description="Scans of ScanNet as its exporter writes them"
    )
    stray_scanner: StrayScannerConfig = Field(
        default=StrayScannerConfig(), description="Recordings of the app StrayScanner"
    )
    polycam: PolycamConfig = Field(
        default=PolycamConfig(), description="Raw data that the app Polycam exports"
    )
    record3d: Record3DConfig = Field(
        default=Record3DConfig(), description="Recordings of the app Record3D, unpacked"
    )
    rgbd_folder: RgbdFolderConfig = Field(
        default=RgbdFolderConfig(),
        description="Folders of colour and depth with one trajectory: Redwood, ICL-NUIM, Open3D",
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
    llff: LlffConfig = Field(
        default=LlffConfig(), description="Captures of LLFF, with poses_bounds.npy"
    )
    transforms_json: TransformsJsonConfig = Field(
        default=TransformsJsonConfig(), description="Captures of nerfstudio and instant-ngp"
    )
    sdfstudio: SdfStudioConfig = Field(
        default=SdfStudioConfig(), description="Scenes of sdfstudio"
    )
    synthetic: SyntheticConfig = Field(
        default=SyntheticConfig(), description="The built-in scenes"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_added_sections(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        for key in given:
            if key not in cls.model_fields and key not in cls.added_sections:
                raise ValueError(f"{key} is no setting and no registered source")
        added = {key: cls.added_sections[key] for key in given if key in cls.added_sections}
        return {**given, **{key: kind.model_validate(given[key]) for key, kind in added.items()}}

    def section(self, kind: str) -> ConfigModel:
        """Return the settings of a kind, the defaults of an added one that nobody has set."""
        if kind in self.added_sections and kind not in (self.model_extra or {}):
            return self.added_sections[kind]()
        section: ConfigModel = getattr(self, kind)
        return section

    @property
    def adjustment(self) -> Adjustment:
        """What is read otherwise than a source of whatever kind says."""
        return Adjustment(self.poses, self.depth_factor, self.focal_factor, self.scale)

    @property
    def read_options(self) -> ReadOptions:
        """What sources of all kinds are told."""
        return ReadOptions(self.max_frames, self.frame_period_s, self.max_picture_mpx)


@dataclass(frozen=True)
class SourceKind:
    """A row of the table: how sources of one kind are known and opened."""

    open: OpenFunction
    recognises: Callable[[Path], bool]
    reads_files: bool = True
    """What it opens is a file or a folder that must be there."""


_KINDS: dict[str, SourceKind] = {
    "rosbag": SourceKind(
        lambda path, config, options: RosbagSource(path, config, options.max_frames),
        is_bag,
    ),
    "posed_images": SourceKind(PosedImagesSource, posed_images.is_folder),
    "tum": SourceKind(TumSource, tum.is_sequence),
    "seven_scenes": SourceKind(SevenScenesSource, seven_scenes.is_scene),
    "replica": SourceKind(ReplicaSource, replica.is_sequence),
    "scannet": SourceKind(ScanNetSource, scannet.is_scan),
    "stray_scanner": SourceKind(StrayScannerSource, stray_scanner.is_recording),
    "polycam": SourceKind(PolycamSource, polycam.is_export),
    "record3d": SourceKind(Record3DSource, record3d.is_recording),
    # Its listing ends with .json, too.
    "sdfstudio": SourceKind(SdfStudioSource, sdfstudio.is_scene),
    "blender": SourceKind(BlenderSource, blender.is_scene),
    # A capture of nerfstudio often holds the model of COLMAP that it was made from.
    "transforms_json": SourceKind(TransformsJsonSource, transforms_json.is_listing),
    "dtu": SourceKind(DtuSource, dtu.is_scan),
    "blended_mvs": SourceKind(blended_mvs.open_blended_mvs, blended_mvs.is_scene),
    "colmap": SourceKind(ColmapSource, colmap.holds_model),
    # Often made from a model of COLMAP, whose pictures have names.
    "llff": SourceKind(LlffSource, llff.is_capture),
    # By no more than names of folders, so after all others.
    "rgbd_folder": SourceKind(RgbdFolderSource, rgbd_folder.is_rgbd_folder),
    "synthetic": SourceKind(open_built_in, is_built_in, reads_files=False),
}
"""In the order in which a path is tried; the settings of each are the field of its name."""

_REGISTERED: dict[str, SourceKind] = {}


def register_source(
    kind: str,
    open_function: OpenFunction,
    config_class: type[ConfigModel] = ConfigModel,
    recognises: Callable[[Path], bool] = lambda _: False,
) -> None:
    """Add a kind of source of one's own, which `ineus run --source KIND` then knows.

    Its settings are the section `source.KIND` of the configuration. A path is shown to the kinds
    that were registered before it is to the built-in ones.

    Args:
        kind: Name; registering it again replaces what was registered.
        open_function: Called with the path, an instance of `config_class` and the `ReadOptions`;
            often the class of the source itself.
        config_class: Settings of the kind, all of them with defaults.
        recognises: Decides whether a path, which need not exist, is of this kind.

    Raises:
        ConfigError: The name is that of a built-in kind or of another setting.
    """
    if kind in SourceConfig.model_fields or not kind.isidentifier():
        raise ConfigError(
            f"source {kind!r} cannot be registered: expected an identifier other than "
            f"{', '.join(SourceConfig.model_fields)}"
        )
    _REGISTERED[kind] = SourceKind(open_function, recognises, reads_files=False)
    SourceConfig.added_sections[kind] = config_class


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
        return _open_recognised(path, config)
    kinds = _REGISTERED | _KINDS
    if kind not in kinds:
        raise ConfigError(_unknown_kind(kind))
    if kinds[kind].reads_files:
        check_source_exists(Path(path))
    source = kinds[kind].open(path, config.section(kind), config.read_options)
    return adjusted(source, config.adjustment)


def _open_recognised(path: str | Path, config: SourceConfig) -> Source:
    """Open a path by its content; an error names the other kinds that the content could be of."""
    kind = source_kind(path)
    try:
        return open_source(path, kind, config)
    except MissingFileError:
        # Most files are there: it is of this kind, and other readers would not find more.
        raise
    except SourceError as error:
        others = [
            name
            for name, other in (_REGISTERED | _KINDS).items()
            if name != kind and other.reads_files and other.recognises(Path(path))
        ]
        if not others:
            raise
        hint = " or ".join(f"--source {name}" for name in others)
        raise SourceError(f"{error}; {path} was read as {kind}, and can be as {hint}") from error


def source_kind(path: str | Path) -> str:
    """Find the kind of source from the content of a path.

    Raises:
        SourceError: If there is nothing, or nothing known, at the path.
    """
    path = Path(path)
    for name, kind in (_REGISTERED | _KINDS).items():
        if (path.exists() or not kind.reads_files) and kind.recognises(path):
            return name
    check_source_exists(path)
    lacks = missing_part(path)
    if lacks:
        raise SourceError(f"{path}: holds no source that can be recognised; {lacks}")
    known = ", ".join(source_kinds())
    raise SourceError(
        f"{path}: holds no source that can be recognised; expected one of {known}, "
        f"or --source to say which"
    )


def source_kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return (*_KINDS, *_REGISTERED)


def _unknown_kind(kind: str) -> str:
    known = source_kinds()
    near = difflib.get_close_matches(kind, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown source {kind!r}: expected auto or one of {', '.join(known)}{hint}"

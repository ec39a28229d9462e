# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a built-in scene, rendered when asked for, with exact poses and ground truth."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field, model_validator

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.geometry import pixel_rays
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.exposure import gains_at
from ineus_core.sources.synthetic.mesh import scene_mesh
from ineus_core.sources.synthetic.render import (
    RenderedScene,
    add_depth_noise,
    patches,
    render_scene,
    trace,
)
from ineus_core.sources.synthetic.scenes import SCENES, scene_named
from ineus_core.sources.synthetic.visitors import Visitor, visit_of
from ineus_core.types import Frame, Mesh

BUILT_IN = "synthetic"
_EVERYTHING = ReadOptions()


def _known(name: str) -> str:
    scene_named(name)
    return name


def _sizes(axis: int) -> str:
    """List the scenes by width or height of their pictures: `320 (room), 400 (object)`."""
    names: dict[int, list[str]] = {}
    for name, scene in SCENES.items():
        names.setdefault(scene.size_px[axis], []).append(name)
    return ", ".join(f"{size} ({', '.join(of)})" for size, of in names.items())


class SyntheticConfig(ConfigModel):
    """What is rendered and how."""

    scene: Annotated[str, AfterValidator(_known)] = Field(
        default="room",
        description=f"{'; '.join(f'{n}: {s.about}' for n, s in SCENES.items())}. "
        f"One of: {', '.join(SCENES)}.",
    )
    frames: int = Field(default=0, ge=0, description="Number of frames; 0: 100")
    width_px: int = Field(default=0, ge=0, description=f"Image width in pixels; 0: {_sizes(0)}")
    height_px: int = Field(default=0, ge=0, description=f"Image height in pixels; 0: {_sizes(1)}")
    rate_hz: float = Field(default=10.0, gt=0, description="Frames per second of the stamps")
    depth: bool = Field(default=True, description="Whether frames have depth")
    ceiling: bool = Field(
        default=True, description="Whether a room, corridor or hall has a ceiling"
    )
    noise: float = Field(
        default=0.0,
        ge=0,
        description="Depth noise as a multiple of a Kinect's; 0: exact depth, no holes",
    )
    noise_spread_px: float = Field(
        default=0.0,
        ge=0,
        description="Radius in pixels (sigma) over which neighbours share depth noise; 0: none do",
    )
    holes: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the depth that is missing in patches, where noise > 0, beside what "
        "is seen at a grazing angle",
    )
    max_range_m: float = Field(
        default=8.0,
        gt=0,
        description="Largest depth in metres that the sensor returns where noise > 0",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the noise")
    visitor: Visitor = Field(
        default="none",
        description="What comes into the room: a walker, a box that is put down half way, or one "
        "that is taken away then. One of: none, walker, box_added, box_removed.",
    )

    exposure_change: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="By how much exposure and white balance change along the way, in drifts and "
        "jumps: colours are multiplied by up to 1 + this, or divided by it; 0: constant",
    )

    @model_validator(mode="after")
    def _has_room_for_visitors(self) -> "SyntheticConfig":
        if self.visitor != "none" and self.scene != "room":
            raise ValueError(f"visitor {self.visitor} in scene {self.scene}: expected scene room")
        return self


class SyntheticSource:
    """Renders the frames of a built-in scene one after another.

    Rooms, corridor and hall have z up and their floor at z = 0; the others lie within the unit
    sphere.
    """

    kind = "synthetic"

    def __init__(
        self,
        config: SyntheticConfig | None = None,
        options: ReadOptions = _EVERYTHING,
    ) -> None:
        self.config = config = config or SyntheticConfig()
        self.dropped: Counter[str] = Counter()
        self._kind = kind = scene_named(config.scene)
        self._visit = visit_of(config.visitor)
        self._without_visitor = kind.build(config.ceiling)
        self.camera = kind.camera(config.width_px, config.height_px)
        poses = kind.views(config.frames or 100)
        # Of the whole walk, also where some of it are read: visitors come and go by it.
        self._frames = len(poses)
        self.world_from_camera = poses[: options.max_frames or None]
        self._background = np.full(3, 255, dtype=np.uint8)

    @property
    def scene(self) -> AnalyticScene:
        """The scene as it is at the end."""
        return self._without_visitor.with_parts(self._visit.left)

    def repaint(self, repainted: Callable[[AnalyticScene], AnalyticScene]) -> None:
        """Give the scene other colours: all frames from now on show what is returned for it."""
        self._without_visitor = repainted(self._without_visitor)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.world_from_camera)

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames in order."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        found = run(functools.partial(self.frame, index) for index in range(len(self)))
        return (frame for frame in found if frame is not None)

    def frame(self, index: int) -> Frame:
        """Render one frame."""
        view = self._render(index)
        depth_m = self._measured(view, index) if self.config.depth else None
        rgb = view.rgb
        if self.config.exposure_change > 0:
            # Cut off at 255, as a sensor is saturated.
            rgb = np.rint(np.minimum(rgb * self.exposure_gains(index), 255.0)).astype(np.uint8)
        return Frame(
            stamp_ns=self._stamp_ns(index),
            camera=self.camera,
            world_from_camera=self.world_from_camera[index],
            rgb=rgb,
            depth_m=depth_m,
            foreground=None if self._kind.is_enclosed else view.opacity,
        )

    def exposure_gains(self, index: int) -> Float[np.ndarray, " 3"]:
        """Return what the true colours of a frame are multiplied by."""
        return gains_at(index / (self.config.frames or len(self)), self.config.exposure_change)

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose at a stamp, interpolated between frames.

        Raises:
            SourceError: If it is outside of the frames.
        """
        return self._track.at(stamp_ns)

    @functools.cached_property
    def _track(self) -> PoseTrack:
        track = PoseTrack(capacity=0, jump_ns=0)
        for index, pose in enumerate(self.world_from_camera):
            track.add(self._stamp_ns(index), pose)
        return track

    def _stamp_ns(self, index: int) -> int:
        return round(index * 1e9 / self.config.rate_hz)

    def _measured(self, view: RenderedScene, index: int) -> Float[np.ndarray, "h w"]:
        depth_m, config = view.depth_m, self.config
        if config.noise > 0:
            # A generator for each frame: its noise is the same in whatever order frames are read.
            rng = np.random.default_rng((config.seed, index))
            depth_m = add_depth_noise(
                depth_m,
                view.cos_incidence,
                config.noise,
                config.max_range_m,
                rng,
                spread_px=config.noise_spread_px,
            )
            depth_m[patches(depth_m.shape, config.holes, rng)] = 0
        return depth_m

    def foreground(self, index: int) -> Bool[np.ndarray, "h w"]:
        """Return where the ray through a pixel's centre meets the scene in this frame."""
        return self._render(index).depth_m > 0

    def _render(self, index: int) -> RenderedScene:
        pose = self.world_from_camera[index]
        share = index / self._frames
        there = self._visit.parts(share, 1e-9 * self._stamp_ns(index), pose[:3, 3])
        scene = self._without_visitor.with_parts(there)
        return render_scene(scene, self.camera, pose, self._background, self._kind.far_m)

    def sdf(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Return the signed distance to the true surface in metres, positive in free space.

        The surface is that at the end, without who walks there.
        """
        return self.scene.sdf(points)

    def reference_points(
        self, n: int = 200_000, seed: int = 0, spacing_m: float = 0.0
    ) -> Float[np.ndarray, "m 3"]:
        """Return at most `n` points on the surface that the frames see, about evenly spread.

        Args:
            spacing_m: Edge of the voxels that keep one point each; 0: that of the scene.
        """
        rng = np.random.default_rng(seed)
        spacing_m = spacing_m or self._kind.detail_m
        # Every second pixel each way is dense enough: all frames together see a place many times.
        rays = pixel_rays(self.camera)[::2, ::2].reshape(-1, 3).T.astype(np.float64)
        found = np.empty((0, 3))
        for pose in self.world_from_camera:
            # By up to a pixel either way, so that rays also fall on the pixels that are left out.
            jitter = rng.uniform(-1, 1, (2, rays.shape[1])) / self.camera.fx
            directions = rays + np.concatenate((jitter, np.zeros((1, rays.shape[1]))))
            directions = pose[:3, :3] @ (directions / np.linalg.norm(directions, axis=0))
            origins = np.repeat(pose[:3, 3:], rays.shape[1], axis=1)
            hits = trace(self.scene, origins, directions, self._kind.far_m)
            found = _one_per_voxel(np.concatenate((found, hits.points[:, hits.hit].T)), spacing_m)
        chosen = rng.permutation(len(found))[:n]
        return found[np.sort(chosen)]

    def reference_mesh(self) -> Mesh:
        """Mesh the whole surface, also what no frame sees; edges are cut by less than a voxel."""
        return scene_mesh(self.scene, self._kind.detail_m)


def is_built_in(path: Path) -> bool:
    """Decide whether a path is `synthetic` or `synthetic:SCENE`, and no file of that name."""
    return str(path).partition(":")[0] == BUILT_IN and not path.exists()


def open_built_in(
    path: str | Path, config: SyntheticConfig, options: ReadOptions
) -> SyntheticSource:
    """Open the scene that a path names, or the configured one for `synthetic` alone."""
    kind, _, scene = str(path).partition(":")
    if kind != BUILT_IN or (scene and scene not in SCENES):
        names = [BUILT_IN, *(f"{BUILT_IN}:{name}" for name in SCENES)]
        raise SourceError(
            f"{path}: no built-in scene; expected {', '.join(names[:-1])} or {names[-1]}"
        )
    settings = config.model_copy(update={"scene": scene}) if scene else config
    return SyntheticSource(settings, options)


def _one_per_voxel(points: np.ndarray, spacing_m: float) -> np.ndarray:
    # Moved up, as 20 bits of the key below hold no negative numbers.
    voxels = np.floor(points / spacing_m).astype(np.int64) + 4096
    _, first = np.unique(
        (voxels[:, 0] << 40) + (voxels[:, 1] << 20) + voxels[:, 2], return_index=True
    )
    return points[np.sort(first)]

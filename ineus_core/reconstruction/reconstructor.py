# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reconstruction of one scene: frames in, steps, meshes and views out.

Owns all state on the device.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ineus_core.errors import CheckpointError, SourceError
from ineus_core.fields import HashSdf
from ineus_core.geometry import up_of_cameras
from ineus_core.keyframes import KeyframeBuffer, Replay
from ineus_core.meshing import Surface, moved_mesh
from ineus_core.planning import EsdfSlice, OccupancySlice, Planner, PlanningAnswer, PlanningScene
from ineus_core.reconstruction.assembly import (
    Conditions,
    ReconstructorConfig,
    assemble,
    estimate_scene,
    first_field_and_grid,
    with_training_for,
)
from ineus_core.reconstruction.checkpoint import CheckpointContent
from ineus_core.reconstruction.checkpoint_files import write_checkpoint
from ineus_core.reconstruction.keyframe_inserter import KeyframeInserter
from ineus_core.reconstruction.scene_bounds import ROOM_VOXEL_M
from ineus_core.rendering import (
    ImageRenderer,
    OccupancyGrid,
    ViewVisibility,
    resolved_rendering,
    vertex_colours,
)
from ineus_core.timing import Pace, peak_memory_mb
from ineus_core.training import Ranks, Step, check_device
from ineus_core.types import (
    BlockIndex,
    Camera,
    Frame,
    KeyframeId,
    Mesh,
    MeshUpdate,
    RenderedImage,
    StepReport,
)

__all__ = ["Reconstructor", "ReconstructorConfig"]

_CELLS_PER_UPDATE = {"cpu": 1 << 16, "cuda": 1 << 20}


class Reconstructor:
    """Builds itself from the first frames and grows from there.

    Args:
        config: Of every part.
        device: Where everything lies.
        ranks: The processes that train the same field on the same frames, if there are several.
    """

    def __init__(
        self, config: ReconstructorConfig, device: torch.device, ranks: Ranks | None = None
    ) -> None:
        """Hold nothing until the first frame."""
        self._given_config = self.config = config
        """As it was given, and with the sizes that the first frames decide."""
        self.device, self.ranks = device, ranks
        self.dataset_from_world = np.eye(4)
        """Similarity to the coordinates that saved meshes have, where the source has others."""
        buffers = config.keyframes, config.replay
        check_device(*buffers, config.field, config.ray_sampling, config.training, device)
        self._rendering = resolved_rendering(config.rendering, device)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if no frame had come."""
        torch.manual_seed(self.config.seed)
        self._generator = torch.Generator(self.device).manual_seed(self.config.seed)
        self._grid_generator = self._generator
        if self.ranks is not None:
            # Rays of its own for each process, but the same cells of the grid for all.
            self._grid_generator = torch.Generator(self.device).manual_seed(self.config.seed)
            self._generator.manual_seed(self.config.seed + self.ranks.seed_offset)
        self.counters: Counter[str] = Counter()
        self.field: HashSdf | None = None
        self.grid: OccupancyGrid | None = None
        self.buffer: KeyframeBuffer | None = None
        self.train_step: Step | None = None
        self._replay: Replay | None = None
        self._waiting: list[Frame] = []
        self._given: tuple[HashSdf, Float[np.ndarray, "2 3"]] | None = None
        self._expected: list[Float[np.ndarray, "4 4"]] = []
        self._surface_points: Float[np.ndarray, "n 3"] | None = None
        self._set_voxel(ROOM_VOXEL_M)
        self._inserter: KeyframeInserter | None = None
        self._visibility: ViewVisibility | None = None
        self._image_renderer: ImageRenderer | None = None
        self._pace = Pace(self.device)
        self._newest_stamp_ns = 0
        self._report_began_s = time.perf_counter()

    def _set_voxel(self, voxel_m: float) -> None:
        """Let all that depends on the size of the voxels follow it, unless it was given."""
        given = self._given_config
        voxel_m = given.meshing.voxel_size_m or voxel_m
        meshing = given.meshing.model_copy(update={"voxel_size_m": voxel_m})
        ray_sampling = given.ray_sampling.resolved(voxel_m)
        self.config = given.model_copy(update={"meshing": meshing, "ray_sampling": ray_sampling})
        self._surface = Surface(meshing, self.device)
        self._planner = Planner(given.planning, voxel_m, ray_sampling.truncation_m, self.device)

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to train on."""
        return self._replay is not None and not self._replay.is_empty

    @property
    def steps(self) -> int:
        """Optimiser steps taken."""
        return self.train_step.steps if self.train_step else 0

    @property
    def up(self) -> Float[np.ndarray, " 3"]:
        """Direction against gravity: the world's z axis, or the mean image top if that differs."""
        return up_of_cameras([] if self.buffer is None else self.buffer.poses)

    def expect(
        self,
        poses: Sequence[Float[np.ndarray, "4 4"]],
        points: Float[np.ndarray, "n 3"] | None = None,
    ) -> None:
        """Say from where all frames will be, as `world_from_camera`, before the first one comes.

        Frames without depth then need not wait until the box of the scene can be judged, and each
        is kept as long as there is room for all.

        Args:
            points: On surfaces, where some are known, such as those of structure from motion.
        """
        self._expected, self._surface_points = list(poses), points

    def add_frame(self, frame: Frame) -> bool:
        """Take a frame; False if it is not needed as a keyframe."""
        self._newest_stamp_ns = max(self._newest_stamp_ns, frame.stamp_ns)
        if self.train_step is None:
            self._waiting.append(frame)
            enough = (
                frame.depth_m is not None
                or len(self._expected) > 0
                or len(self._waiting) >= self.config.bounds.frames_to_start
            )
            if not (enough or self.config.bounds.aabb):
                return True
            return self.start()
        assert self._inserter is not None
        return self._inserter.add(frame, len(self._expected))

    def start(self) -> bool:
        """Build the field from the frames so far; comes by itself, or is called after the last."""
        if self.train_step is not None or not self._waiting:
            return False
        frames, self._waiting = self._waiting, []
        self._build(frames)
        assert self._inserter is not None
        # Every frame is added before anyone asks whether one was.
        added = [self._inserter.add(frame, len(self._expected)) for frame in frames]
        return any(added)

    def _build(self, frames: list[Frame]) -> None:
        bounds = estimate_scene(self.config, frames, self._expected, self._surface_points)
        self._set_voxel(bounds.voxel_m)
        field, grid = first_field_and_grid(self.config, bounds, self._given, self.device)
        knows = any(frame.foreground is not None for frame in frames)
        self._assemble(field, grid, frames[0].camera, knows)

    def _assemble(
        self, field: HashSdf, grid: OccupancyGrid, camera: Camera, knows_foreground: bool
    ) -> None:
        self.field, self.grid, self._image_renderer = field, grid, None
        given = Conditions(
            self.device, self._generator, self._rendering, self.ranks, self.counters
        )
        self.config = with_training_for(self.config, field, self.device)
        dirty = self._surface.dirty
        parts = assemble(self.config, field, grid, dirty, camera, knows_foreground, given)
        self.buffer, self._replay, self.train_step = parts.buffer, parts.replay, parts.train_step
        self._inserter, self._visibility = parts.inserter, parts.visibility

    def step(self) -> None:
        """Take one optimiser step; nothing happens before the first keyframe."""
        if not self.is_ready:
            return
        assert self.train_step is not None
        self.train_step()
        self._pace.after_step()
        if self.train_step.steps % self.config.occupancy.update_every == 0:
            self.update_occupancy()

    def update_occupancy(self) -> None:
        """Let the occupancy grid follow the field in some of its cells."""
        assert self.train_step is not None
        self.train_step.update_grid(_CELLS_PER_UPDATE[self.device.type], self._grid_generator)

    def extract_mesh(self, everything: bool = False) -> MeshUpdate:
        """Mesh what changed since the last call, or all of it."""
        if not self.is_ready:
            return MeshUpdate(self._newest_stamp_ns, (), ())
        assert self.field is not None and self.grid is not None
        assert self._visibility is not None
        if everything:
            self._surface.dirty.clear()
            self._visibility.find_surface()
        is_blurred = self.field.init != "depth" and self.field.config.kind == "sdf"
        knows_views = self.config.training.view_dropout == 0
        update = self._surface.renew(
            self._blocks_with_surface() if everything else self._surface.take_dirty(),
            self.field.sdf,
            partial(vertex_colours, self.field, is_blurred, knows_views),
            self.grid.may_hold_mesh,
            self.field.is_pointwise,
            self._newest_stamp_ns,
        )
        if update.upserts or update.removed:
            self._planner.forget()
            self._visibility.on_surface_changed()
        return update

    def revisit_surface(self) -> None:
        """Without depth nothing tells which blocks change: have all of them meshed in turn."""
        if not self.is_ready or self.grid is None or self.grid.has_sensor:
            return
        assert self._visibility is not None
        if not len(self._surface.dirty):
            self._visibility.find_surface()
            self._surface.dirty.add(self._blocks_with_surface())

    def _blocks_with_surface(self) -> list[BlockIndex]:
        assert self.grid is not None
        return self._surface.blocks_with_surface(self.grid.occupied_centres(), self.grid.cell_m)

    def mesh(self) -> Mesh:
        """The whole surface, freshly extracted, welded and without crumbs."""
        self.extract_mesh(everything=True)
        return self.current_mesh()

    def mesh_to_save(self) -> Mesh:
        """`current_mesh` in the coordinates of the data set."""
        return moved_mesh(self.current_mesh(), self.dataset_from_world)

    def current_mesh(self) -> Mesh:
        """The surface as last extracted, welded and without crumbs."""
        return self._surface.mesh()

    def render(self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]) -> RenderedImage:
        """Colour, depth and normal as the camera would see them."""
        if not self.is_ready or self.field is None or self.grid is None:
            raise SourceError("nothing to render: no keyframe has come yet")
        is_white = self.config.training.shows_white and self.field.background is None
        if self._image_renderer is None:
            self._image_renderer = ImageRenderer(self.field, self.grid)
        # Sharpness and annealing are trained together: exact opacities would show another surface.
        cos_anneal = self.config.training.cos_anneal(self.steps)
        pose = torch.as_tensor(world_from_camera, dtype=torch.float32).to(self.device)
        return self._image_renderer.render(camera, pose, float(is_white), cos_anneal)

    def query(self, points: Float[np.ndarray, "n 3"]) -> PlanningAnswer:
        """Distance to the surface as last extracted, gradient, and whether the place was seen."""
        return self._planner.query(points, self._planning_scene())

    def occupancy_slice(self, z_min_m: float, z_max_m: float) -> OccupancySlice | None:
        """What is free, occupied and unknown between two heights; None before the first frame."""
        scene = self._planning_scene()
        return self._planner.occupancy_slice(z_min_m, z_max_m, scene) if scene else None

    def esdf_slice(self, z_m: float) -> EsdfSlice | None:
        """Distances at a height; None before the first frame."""
        scene = self._planning_scene()
        return self._planner.esdf_slice(z_m, scene) if scene else None

    def _planning_scene(self) -> PlanningScene | None:
        if self.field is None or self.grid is None or self._visibility is None:
            return None
        grid, blocks = self.grid, self._surface.blocks
        # What the sensor saw, or without one, what the views see of the field.
        tells = grid.has_sensor or not self.is_ready
        log_odds = grid.log_odds if tells else self._visibility.log_odds()
        return PlanningScene(log_odds, grid.aabb[0], grid.cell_m, blocks, self.field.sdf)

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest frame."""
        return self._newest_stamp_ns

    def keyframe_poses(self) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """`world_from_camera` of the keyframes that are held, oldest first."""
        if self.buffer is None:
            return {}
        return dict(zip(self.buffer.ids, self.buffer.poses, strict=True))

    def move_keyframes(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses; how many of them are held.

        What their depth shows is observed anew. The field follows as training goes on, and what
        was seen in the old place goes as rays pass through it.
        """
        return self._inserter.move(poses) if self._inserter is not None else 0

    def refine(self, remaining: float) -> None:
        """Lower the learning rates for the end of an offline run.

        Args:
            remaining: Share of the settling steps that are left, 1 to 0.
        """
        if self.train_step is not None and self._replay is not None:
            if remaining == 1.0:
                self._replay.replay_uniformly()
            self.train_step.scale_rates(0.05 ** (1.0 - remaining))

    def report(self) -> StepReport:
        """Progress since the last report; waits for the device."""
        now_s = time.perf_counter()
        elapsed_s, self._report_began_s = now_s - self._report_began_s, now_s
        losses: dict[str, float] = {}
        samples = rays = 0
        counters = Counter(self.counters)
        if self.train_step is not None:
            losses, samples, rays = self.train_step.take_means()
            counters += self.train_step.counters
        return StepReport(
            step=self.steps,
            stamp_ns=self._newest_stamp_ns,
            losses=losses,
            counters=dict(counters),
            inv_s=float(self.field.inv_s.detach()) if self.field is not None else 0.0,
            samples_per_second=samples / elapsed_s,
            rays_per_second=rays / elapsed_s,
            keyframes=len(self.buffer) if self.buffer is not None else 0,
            memory_mb=peak_memory_mb(self.device),
        )

    def save(self, directory: Path) -> Path:
        """Write a checkpoint: a directory with safetensors and JSON."""
        if self.field is None or self.grid is None or self._replay is None or self.buffer is None:
            raise SourceError("nothing to save: no keyframe has come yet")
        content = CheckpointContent.of(
            self.field,
            self.grid,
            self.buffer,
            self._replay,
            self.config,
            dataset_from_world=self.dataset_from_world,
            step=self.steps,
            stamp_ns=self._newest_stamp_ns,
        )
        return write_checkpoint(directory, content.tensors, content.meta)

    def load(self, directory: Path) -> None:
        """Take over a checkpoint; what was mapped before is forgotten."""
        self._from_checkpoint(directory, self._restore)

    def load_weights(self, directory: Path) -> None:
        """Begin with the field of a checkpoint, and with nothing else of it: its training anew."""
        self._from_checkpoint(directory, self._restore_weights)

    def _from_checkpoint(
        self, directory: Path, restore: Callable[[CheckpointContent], None]
    ) -> None:
        content = CheckpointContent.read(directory)
        self.reset()
        try:
            restore(content)
        except (KeyError, TypeError, ValueError, RuntimeError, SourceError) as error:
            self.reset()
            raise CheckpointError(
                f"checkpoint {directory} does not hold what it should: {error}"
            ) from error

    def _restore_weights(self, content: CheckpointContent) -> None:
        grid = content.grid(self.config.occupancy, self.device)
        field = content.field(self.config.field.backend, self.device)
        self._given = field, grid.host_aabb

    def _restore(self, content: CheckpointContent) -> None:
        field = content.field(self.config.field.backend, self.device)
        grid = content.grid(self.config.occupancy, self.device)
        self._set_voxel(content.voxel_size_m)
        camera = content.camera
        self.dataset_from_world = content.dataset_from_world
        self._assemble(field, grid, camera, content.has_foreground)
        assert self._replay is not None and self.train_step is not None
        self._replay.keep(content.rays)
        self._replay.image_background.copy_(content.image_background)
        self.train_step.resume_at(content.step)
        self._newest_stamp_ns = content.stamp_ns

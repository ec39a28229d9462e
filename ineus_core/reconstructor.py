# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reconstruction of one scene: frames in, steps, meshes and views out.

Owns all state on the device.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8
from pydantic import Field
from torch import Tensor

from ineus_core.bounds import (
    ROOM_VOXEL_M,
    BoundsConfig,
    box_of_cameras,
    box_of_depth,
    voxel_of_box,
    voxel_of_depth,
)
from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError, CheckpointError, SourceError
from ineus_core.fields import (
    BackgroundConfig,
    FieldConfig,
    HashSdf,
    Initialisation,
    add_background,
    make_field,
    restore_field,
)
from ineus_core.geometry import blocks_touched, known_pixel_rays
from ineus_core.keyframes import (
    KeyframeBuffer,
    KeyframeConfig,
    KeyframeSelector,
    Replay,
    ReplayConfig,
    SelectorConfig,
)
from ineus_core.meshing import (
    BlockMesher,
    DirtyBlocks,
    MeshingConfig,
    blocks_of_cells,
    moved_mesh,
    remove_small_components,
    weld,
)
from ineus_core.planning import (
    EsdfSlice,
    OccupancySlice,
    Planner,
    PlanningAnswer,
    PlanningConfig,
    PlanningScene,
)
from ineus_core.rendering import (
    OccupancyConfig,
    OccupancyGrid,
    PlacementConfig,
    RenderingConfig,
    View,
    evidence_of_views,
    resolved_rendering,
    seen_cells,
)
from ineus_core.timing import Pace
from ineus_core.training import (
    Ranks,
    TrainingConfig,
    TrainStep,
    check_device,
    make_step,
    read_checkpoint,
    write_checkpoint,
)
from ineus_core.types import (
    BlockIndex,
    Camera,
    Frame,
    KeyframeId,
    Mesh,
    MeshBlock,
    MeshUpdate,
    RenderedImage,
    StepReport,
)

_LOG = logging.getLogger(__name__)
_OBSERVE_STRIDE_PX = 4
_CELLS_PER_UPDATE = {"cpu": 1 << 16, "cuda": 1 << 20}
_SEEN_RAYS = {"cpu": 1 << 17, "cuda": 1 << 20}
_PLANNING_RAYS = {"cpu": 1 << 11, "cuda": 1 << 18}
"""Rays that tell a planner what is free, where there is no depth."""
_SEEN_RAYS_AT_ONCE = 1 << 16
_SPARE_M = 0.5
"""Room beyond what a frame needs when the grid grows: a GPU then captures its step anew."""


class ReconstructorConfig(ConfigModel):
    """Every part of a reconstruction."""

    seed: int = Field(0, ge=0, description="Seed of all random numbers.")
    bounds: BoundsConfig = BoundsConfig()
    selector: SelectorConfig = SelectorConfig()
    keyframes: KeyframeConfig = KeyframeConfig()
    replay: ReplayConfig = ReplayConfig()
    field: FieldConfig = FieldConfig()
    background: BackgroundConfig = BackgroundConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    placement: PlacementConfig = PlacementConfig()
    rendering: RenderingConfig = RenderingConfig()
    training: TrainingConfig = TrainingConfig()
    meshing: MeshingConfig = MeshingConfig()
    planning: PlanningConfig = PlanningConfig()


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
        check_device(
            config.keyframes,
            config.replay,
            config.field,
            config.placement,
            config.training,
            device,
        )
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
        self.train_step: TrainStep | None = None
        self._replay: Replay | None = None
        self._waiting: list[Frame] = []
        self._given: tuple[HashSdf, Float[np.ndarray, "2 3"]] | None = None
        self._expected: list[Float[np.ndarray, "4 4"]] = []
        self._selector = KeyframeSelector(self.config.selector)
        self._blocks: dict[BlockIndex, MeshBlock] = {}
        self._set_voxel(ROOM_VOXEL_M)
        self._evidence_of_views: Int8[Tensor, "gx gy gz"] | None = None
        self._views_have_told = False
        self._view: View | None = None
        self._pace = Pace(self.device)
        self._newest_stamp_ns = 0
        self._report_began_s = time.perf_counter()

    def _set_voxel(self, voxel_m: float) -> None:
        """Let all that depends on the size of the voxels follow it, unless it was given."""
        given = self._given_config
        voxel_m = given.meshing.voxel_size_m or voxel_m
        meshing = given.meshing.model_copy(update={"voxel_size_m": voxel_m})
        placement = given.placement.resolved(voxel_m)
        self.config = given.model_copy(update={"meshing": meshing, "placement": placement})
        self._mesher = BlockMesher(meshing)
        self._planner = Planner(given.planning, voxel_m, placement.truncation_m, self.device)
        self._dirty = DirtyBlocks(meshing.block_size_m, 2 * voxel_m, self.device)

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
        z_axis = np.array((0.0, 0.0, 1.0))
        if self.buffer is None or len(self.buffer) == 0:
            return z_axis
        image_top = -np.mean([pose[:3, 1] for pose in self.buffer.poses], axis=0)
        length = float(np.linalg.norm(image_top))
        # Within 45 degrees the cameras are merely tilted; a short mean says nothing.
        return z_axis if length < 0.3 or image_top[2] > 0.7 * length else image_top / length

    def expect(self, poses: Sequence[Float[np.ndarray, "4 4"]]) -> None:
        """Say from where all frames will be, as `world_from_camera`, before the first one comes.

        Frames without depth then need not wait until the box of the scene can be judged, and each
        is kept as long as there is room for all.
        """
        self._expected = list(poses)

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
        return self._add_keyframe(frame)

    def start(self) -> bool:
        """Build the field from the frames so far; comes by itself, or is called after the last."""
        if self.train_step is not None or not self._waiting:
            return False
        frames, self._waiting = self._waiting, []
        self._build(frames)
        # Every frame is added before anyone asks whether one was.
        added = [self._add_keyframe(frame) for frame in frames]
        return any(added)

    def _build(self, frames: list[Frame]) -> None:
        init, aabb, voxel_m = self._decide_init(frames)
        self._set_voxel(voxel_m)
        config, device, voxel_m = self.config, self.device, self.config.meshing.voxel_size_m
        if self._given is not None:
            field, given_box = self._given
            init, aabb = field.init, aabb if field.init == "free" else given_box
        else:
            field = make_field(config.field, init, aabb, voxel_m, device)
            if config.background.kind == "learned":
                add_background(field, config.background)
        side_m = float((aabb[1] - aabb[0]).max())
        cell_m = config.occupancy.cell_m or (2 * voxel_m if init == "free" else side_m / 128)
        box = torch.as_tensor(aabb, dtype=torch.float32)
        grid = OccupancyGrid(config.occupancy, cell_m, box, device)
        knows = any(frame.foreground is not None for frame in frames)
        self._assemble(field, grid, frames[0].camera, knows)

    def _decide_init(
        self, frames: list[Frame]
    ) -> tuple[Initialisation, Float[np.ndarray, "2 3"], float]:
        bounds = self.config.bounds
        with_depth = [frame for frame in frames if frame.depth_m is not None]
        looks: Initialisation = "free"
        if with_depth:
            aabb = box_of_depth(with_depth[0], known_pixel_rays(with_depth[0].camera), bounds)
        else:
            poses = self._expected or [frame.world_from_camera for frame in frames]
            looks, aabb = box_of_cameras(poses)
        if bounds.aabb:
            aabb = np.array(bounds.aabb).reshape(2, 3)
        voxel_m = voxel_of_depth(with_depth[0], bounds) if with_depth else voxel_of_box(aabb)
        given = self.config.field.init
        return (looks if given == "auto" else given), aabb, voxel_m

    def _add_keyframe(self, frame: Frame) -> bool:
        assert self.buffer is not None and self._replay is not None and self.grid is not None
        if not self._selector.is_keyframe(frame) and not self._is_one_of_few(frame):
            return False
        if frame.depth_m is not None and not self._grow(frame):
            return False
        leaving = self.buffer.slot_to_free()
        if leaving is not None:
            self._replay.keep_rays_of(leaving)
            self.counters["keyframes_to_reservoir"] += 1
        slot = self.buffer.add(frame)
        self._replay.on_keyframe_added()
        if frame.depth_m is not None:
            if self.device.type == "cuda" and find_spec("triton") is not None:
                self._observe_on_gpu(slot)
            else:
                self._observe(frame)
        self.counters["keyframes"] += 1
        return True

    def _is_one_of_few(self, frame: Frame) -> bool:
        """Whether a frame is of a set of views without depth that the buffer holds as a whole."""
        assert self.buffer is not None
        return frame.depth_m is None and 0 < len(self._expected) <= self.buffer.capacity

    def _grow(self, frame: Frame) -> bool:
        assert self.grid is not None and self.field is not None
        box = box_of_depth(frame, known_pixel_rays(frame.camera), self.config.bounds)
        if not self.field.holds(torch.as_tensor(box, dtype=torch.float32)):
            self.counters["frames_out_of_bounds"] += 1
            _LOG.warning(
                "frame at %s lies outside the field's %.0f m", box.tolist(), self.field.side_m
            )
            return False
        try:
            if self.grid.grow(torch.as_tensor(box, dtype=torch.float32), spare_m=_SPARE_M):
                _LOG.info("occupancy grid grown to %s", tuple(self.grid.evidence.shape))
        except CapacityError as error:
            self.counters["frames_out_of_bounds"] += 1
            _LOG.warning("%s", error)
            return False
        return True

    def _observe(self, frame: Frame) -> None:
        assert frame.depth_m is not None and self.grid is not None
        s = _OBSERVE_STRIDE_PX if frame.camera.width_px >= 480 else _OBSERVE_STRIDE_PX // 2
        depth_m = frame.depth_m[::s, ::s]
        limits = self.config.keyframes
        hit = (depth_m >= limits.min_depth_m) & (depth_m <= limits.max_depth_m)
        if frame.mask is not None:
            hit &= frame.mask[::s, ::s]
        in_camera = known_pixel_rays(frame.camera)[::s, ::s][hit]
        range_m = depth_m[hit] / in_camera[:, 2]
        directions = in_camera @ frame.world_from_camera[:3, :3].T
        self.grid.observe(
            self._tensor(frame.world_from_camera[:3, 3]),
            self._tensor(directions),
            self._tensor(range_m),
            self.config.placement.truncation_m,
        )
        points = frame.world_from_camera[:3, 3] + directions * range_m[:, None]
        self._dirty.mark(points)

    def _observe_on_gpu(self, slot: int) -> None:
        """`_observe` of the stored depth, where the host waits for nothing."""
        from ineus_core.kernels.carve_triton import rays_of_depth

        buffer, grid = self.buffer, self.grid
        assert buffer is not None and grid is not None
        wide = buffer.camera.width_px >= 480
        stride_px = _OBSERVE_STRIDE_PX if wide else _OBSERVE_STRIDE_PX // 2
        pose = buffer.world_from_camera[slot]
        directions, range_m = rays_of_depth(
            buffer.depth[slot],
            buffer.rays_of(slot),
            pose,
            buffer.depth_step_m,
            buffer.width_px,
            max(1, stride_px // buffer.reduction),
            *self._dirty.flags_over(grid.host_aabb),
        )
        grid.observe(pose[:, 3], directions, range_m, self.config.placement.truncation_m)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32).to(self.device)

    def step(self) -> None:
        """Take one optimiser step; nothing happens before the first keyframe."""
        if not self.is_ready:
            return
        assert self.train_step is not None and self.grid is not None and self.field is not None
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
        if everything:
            self._dirty.clear()
            self._look_for_surface()
        dirty = self._blocks_with_surface() if everything else self._take_dirty()
        upserts, removed = [], []
        for block in self._extract(dirty):
            if len(block.mesh.triangles):
                self._blocks[block.index] = block
                upserts.append(block)
            elif self._blocks.pop(block.index, None) is not None:
                removed.append(block.index)
        if upserts or removed:
            self._planner.forget()
            self._views_have_told = False
        return MeshUpdate(self._newest_stamp_ns, tuple(upserts), tuple(removed))

    def _look_for_surface(self) -> None:
        """Let views without depth say which surface they see, as a field invents more of it."""
        assert self.field is not None and self.grid is not None
        wanted = self.config.occupancy.seen_rays
        if self.grid.has_sensor or wanted < 0:
            return
        rays = self._view_rays(wanted or _SEEN_RAYS[self.device.type])
        self.grid.seen = seen_cells(self.field.sdf, self.grid, rays)

    def _view_rays(self, wanted: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Random rays of what was seen, in batches."""
        assert self._replay is not None
        sizes = [_SEEN_RAYS_AT_ONCE] * (wanted // _SEEN_RAYS_AT_ONCE)
        sizes += [wanted % _SEEN_RAYS_AT_ONCE] if wanted % _SEEN_RAYS_AT_ONCE else []
        for size in sizes:
            batch = self._replay.draw(size)
            yield batch.origins[batch.valid], batch.directions[batch.valid]

    def revisit_surface(self) -> None:
        """Without depth nothing tells which blocks change: have all of them meshed in turn."""
        if self.is_ready and self.grid is not None and not self.grid.has_sensor:
            if not len(self._dirty):
                self._look_for_surface()
                self._dirty.add(self._blocks_with_surface())

    def _take_dirty(self) -> list[BlockIndex]:
        """The blocks that have been dirty for longest, as many as an update may have."""
        limit = self.config.meshing.blocks_per_update or (
            4096 if self.device.type == "cuda" else 48
        )
        return self._dirty.take(limit)

    def _extract(self, blocks: list[BlockIndex]) -> list[MeshBlock]:
        assert self.field is not None and self.grid is not None
        return self._mesher.extract(
            self.field.sdf,
            self._surface_colour,
            blocks,
            self.grid.may_hold_mesh,
            self.device,
            self.field.is_pointwise,
        )

    def _surface_colour(
        self, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3"]:
        """Colour of the surface itself: without a direction if trained so, else seen head-on."""
        assert self.field is not None
        directions = (
            -normals if self.config.training.view_dropout == 0 else torch.zeros_like(normals)
        )
        with torch.no_grad():
            return self.field(points, directions).rgb

    def _blocks_with_surface(self) -> list[BlockIndex]:
        assert self.grid is not None
        centres, block_m = self.grid.occupied_centres(), self.config.meshing.block_size_m
        # A little less than the cell, which would else touch the blocks that it only abuts.
        reach_m = 0.499 * self.grid.cell_m
        if self.device.type == "cuda" and self.grid.cell_m < block_m:
            found = blocks_of_cells(centres, reach_m, block_m)
        else:
            found = blocks_touched(centres.cpu().numpy(), reach_m, block_m)
        return sorted(set(found) | set(self._blocks))

    def mesh(self) -> Mesh:
        """The whole surface, freshly extracted, welded and without crumbs."""
        self.extract_mesh(everything=True)
        return self.current_mesh()

    def mesh_to_save(self) -> Mesh:
        """`current_mesh` in the coordinates of the data set."""
        return moved_mesh(self.current_mesh(), self.dataset_from_world)

    def current_mesh(self) -> Mesh:
        """The surface as last extracted, welded and without crumbs."""
        return remove_small_components(
            weld(self._blocks.values()), self.config.meshing.min_component_triangles
        )

    def render(self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]) -> RenderedImage:
        """Colour, depth and normal as the camera would see them."""
        if not self.is_ready or self.field is None or self.grid is None:
            raise SourceError("nothing to render: no keyframe has come yet")
        # What was trained over any colour is shown over white, as such pictures usually are.
        is_white = self.config.training.background in ("white", "random")
        background = 1.0 if is_white and self.field.background is None else 0.0
        if self._view is None:
            self._view = View(self.field, self.grid)
        # Sharpness and annealing are trained together: exact opacities would show another surface.
        cos_anneal = self.config.training.cos_anneal(self.steps)
        return self._view.render(camera, self._tensor(world_from_camera), background, cos_anneal)

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
        if self.field is None or self.grid is None:
            return None
        grid = self.grid
        return PlanningScene(self._evidence(), grid.aabb[0], grid.cell_m, self._blocks, self.field)

    def _evidence(self) -> Int8[Tensor, "gx gy gz"]:
        """What the sensor saw, or without one, what the views see of the field."""
        assert self.field is not None and self.grid is not None
        if self.grid.has_sensor or not self.is_ready:
            return self.grid.evidence
        old = self._evidence_of_views
        if old is None or not self._views_have_told:
            rays = self._view_rays(_PLANNING_RAYS[self.device.type])
            new = evidence_of_views(self.field.sdf, self.grid, rays)
            # Rays are few, so what earlier ones told holds where these say nothing.
            if old is not None and old.shape == new.shape:
                new = torch.where(new != 0, new, old)
            self._evidence_of_views, self._views_have_told = new, True
            return new
        return old

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
        moved = 0
        for keyframe, world_from_camera in poses.items():
            if self.buffer is None or not self.buffer.replace_pose(keyframe, world_from_camera):
                continue
            moved += 1
            frame = self.buffer.frame_of(keyframe)
            if frame is not None and frame.depth_m is not None and self._grow(frame):
                self._observe(frame)
        return moved

    def settle(self, remaining: float) -> None:
        """Lower the learning rates for the end of an offline run.

        Args:
            remaining: Share of the settling steps that are left, 1 to 0.
        """
        if self.train_step is not None and self._replay is not None:
            if remaining == 1.0:
                self._replay.even_out()
            self.train_step.optimiser.rate_factor = 0.05 ** (1.0 - remaining)

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
            timings_ms={},
            inv_s=float(self.field.inv_s.detach()) if self.field is not None else 0.0,
            samples_per_second=samples / elapsed_s,
            rays_per_second=rays / elapsed_s,
            keyframes=len(self.buffer) if self.buffer is not None else 0,
            memory_mb=_memory_mb(self.device),
        )

    def save(self, directory: Path) -> Path:
        """Write a checkpoint: a directory with safetensors and JSON."""
        if self.field is None or self.grid is None or self._replay is None or self.buffer is None:
            raise SourceError("nothing to save: no keyframe has come yet")
        grid_tensors, grid_meta = self.grid.state()
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"grid.{k}": v for k, v in grid_tensors.items()}
        tensors["replay.rays"] = self._replay.rays_to_save()
        meta = {
            "step": self.steps,
            "stamp_ns": self._newest_stamp_ns,
            "config": self.config.model_dump(
                mode="json", include=set(ReconstructorConfig.model_fields)
            ),
            "field": self.field.config.model_dump(mode="json"),
            "init": self.field.init,
            "dataset_from_world": self.dataset_from_world.tolist(),
            "side_m": self.field.side_m,
            "grid": grid_meta,
            "has_foreground": self.buffer.foreground is not None,
            "backdrop": self.buffer.backdrop.tolist(),
            "camera": asdict(self.buffer.camera),
        }
        return write_checkpoint(directory, tensors, meta)

    def load(self, directory: Path) -> None:
        """Take over a checkpoint; what was mapped before is forgotten."""
        self._from_checkpoint(directory, self._restore)

    def load_weights(self, directory: Path) -> None:
        """Begin with the field of a checkpoint, and with nothing else of it: its training anew."""
        self._from_checkpoint(directory, self._restore_weights)

    def _from_checkpoint(
        self, directory: Path, restore: Callable[[dict[str, Tensor], dict[str, Any]], None]
    ) -> None:
        tensors, meta = read_checkpoint(directory)
        self.reset()
        try:
            restore(tensors, meta)
        except (KeyError, TypeError, ValueError, RuntimeError, SourceError) as error:
            self.reset()
            raise CheckpointError(
                f"checkpoint {directory} does not hold what it should: {error}"
            ) from error

    def _restore_weights(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        grid = self._grid_of(tensors, meta)
        self._given = self._field_of(tensors, meta), grid.host_aabb

    def _field_of(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> HashSdf:
        side_m = float(meta["side_m"])
        field_config = FieldConfig(**meta["field"]).model_copy(
            update={"backend": self.config.field.backend}
        )
        centre_m = tensors["field.origin_m"] + side_m / 2
        field = restore_field(field_config, meta["init"], centre_m, side_m, self.device)
        behind = BackgroundConfig(**meta["config"].get("background", {}))
        if behind.kind == "learned":
            add_background(field, behind)
        field.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("field.")})
        return field

    def _grid_of(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> OccupancyGrid:
        grid_tensors = {k[5:]: v for k, v in tensors.items() if k.startswith("grid.")}
        return OccupancyGrid.from_state(
            self.config.occupancy, grid_tensors, meta["grid"], self.device
        )

    def _restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        field, grid = self._field_of(tensors, meta), self._grid_of(tensors, meta)
        self._set_voxel(float(meta["config"]["meshing"]["voxel_size_m"]))
        camera = Camera(**{**meta["camera"], "distortion": tuple(meta["camera"]["distortion"])})
        self.dataset_from_world = np.array(meta.get("dataset_from_world", np.eye(4).tolist()))
        if self.dataset_from_world.shape != (4, 4):
            raise ValueError(f"dataset_from_world of shape {self.dataset_from_world.shape}")
        self._assemble(field, grid, camera, bool(meta.get("has_foreground", False)))
        assert self._replay is not None and self.train_step is not None
        self._replay.keep(tensors["replay.rays"])
        self._replay.backdrop.copy_(torch.tensor(meta.get("backdrop", (1.0, 1.0, 1.0))))
        self.train_step.steps = int(meta["step"])
        field.set_step(self.train_step.steps)
        self._newest_stamp_ns = int(meta["stamp_ns"])

    def _assemble(
        self, field: HashSdf, grid: OccupancyGrid, camera: Camera, knows_foreground: bool
    ) -> None:
        config = self.config
        self.field, self.grid, self._view = field, grid, None
        has_foreground = knows_foreground and config.training.reads_foreground
        self.buffer = KeyframeBuffer(config.keyframes, camera, self.device, has_foreground)
        self._replay = Replay(config.replay, self.buffer, self._generator)
        self.train_step = make_step(
            config.training,
            config.placement,
            field,
            grid,
            self._replay,
            self._generator,
            self._rendering,
            self.ranks,
        )


def _memory_mb(device: torch.device) -> dict[str, float]:
    import resource

    memory = {
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_gpu_mb": 0.0,
    }
    if device.type == "cuda":
        memory["peak_gpu_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    return memory

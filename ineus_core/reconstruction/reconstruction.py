# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All that exists of a scene once there was a frame; `assembly` puts it together."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.fields import HashSdf
from ineus_core.keyframes import KeyframeBuffer, Replay
from ineus_core.meshing import ColourFunction, ObservedFunction, SdfFunction, Surface
from ineus_core.planning import EsdfSlice, OccupancySlice, Planner, PlanningAnswer, PlanningScene
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.reconstruction.keyframe_inserter import KeyframeInserter
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.picture_colours import PictureColours
from ineus_core.rendering import (
    ImageRenderer,
    MeshedSurface,
    OccupancyGrid,
    ViewVisibility,
    vertex_colours,
)
from ineus_core.timing import InParts, Pace, at_once
from ineus_core.training import Step
from ineus_core.types import BlockIndex, Camera, Frame, KeyframeId, MeshUpdate, RenderedImage

_CELLS_PER_UPDATE = {"cpu": 1 << 16, "cuda": 1 << 20}
_WEIGHED_RAYS = 1 << 13
"""Of keyframes, by which field and fused blocks are compared now and then."""
_REVISITED = 8
"""Blocks that are the field's and are meshed anew after each comparison, if no others wait."""


@dataclass(frozen=True)
class Reconstruction:
    """The parts of a reconstruction, and what they do together.

    All coordinates in here are those of the map: they count from `origin`.
    """

    config: ReconstructorConfig
    """With the sizes that the first frames decide."""
    origin: MapOrigin
    device: torch.device
    field: HashSdf
    grid: OccupancyGrid
    buffer: KeyframeBuffer
    replay: Replay
    train_step: Step
    inserter: KeyframeInserter
    visibility: ViewVisibility
    renderer: ImageRenderer
    surface: Surface
    planner: Planner
    fused: FusedMap | None
    """What stands in the map until the field is better; None where the field alone is the map."""
    pictures: PictureColours | None
    """What tells colours until the field has learnt them; None where the field alone does."""
    counters: Counter[str]
    """Of what became of the frames."""
    pace: Pace
    grid_generator: torch.Generator
    """Of the cells of the grid that follow the field."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to train on, as no frame has become a keyframe yet."""
        return self.replay.is_empty

    def update_occupancy(self) -> None:
        """Let the occupancy grid follow the field in some of its cells."""
        self.train_step.update_grid(_CELLS_PER_UPDATE[self.device.type], self.grid_generator)

    def weigh_field(self) -> None:
        """See where the field has become better than what was fused, if anything was."""
        fused, dirty = self._what_is_fused, self.surface.dirty
        if fused is None:
            return
        dirty.add(fused.weigh(self.replay.draw(_WEIGHED_RAYS), self._knows_views))
        # No keyframe says that these have changed, as they do while the field is trained.
        if not dirty.known:
            dirty.add(fused.next_of_field(_REVISITED))

    @property
    def _what_is_fused(self) -> FusedMap | None:
        """What was fused, if anything was: of depth that is estimated nothing is."""
        return self.fused if self.fused is not None and len(self.fused.volume) else None

    @property
    def _knows_views(self) -> bool:
        """Whether colours were never trained without a direction."""
        return self.config.training.view_dropout == 0

    def refine(self, remaining: float) -> None:
        """Lower the learning rates; see `Reconstructor.refine`."""
        if remaining == 1.0:
            # No newer frames will come, so that the newest need no larger share.
            self.replay.replay_uniformly()
        # Evenly in the logarithm, down to a twentieth.
        self.train_step.scale_rates(0.05 ** (1.0 - remaining))

    def extract_mesh(
        self, everything: bool, stamp_ns: int, within_s: float | None = None
    ) -> MeshUpdate:
        """Mesh what changed since the last call, or all of it.

        Args:
            stamp_ns: Of the newest frame.
            within_s: Time that meshing what changed may take; the rest comes with later calls.
        """
        if everything:
            return at_once(self.extract_all_in_parts(stamp_ns))
        dirty = self.surface.take_dirty(within_s)
        return self._noted(self.surface.renew(dirty, *self._what_is_meshed(), stamp_ns))

    def extract_all_in_parts(self, stamp_ns: int) -> InParts[MeshUpdate]:
        """Mesh all of it, with pauses in which the caller may train but not mesh."""
        # What is dirty is meshed now; left there, it would be meshed again at once.
        self.surface.dirty.clear()
        yield from self.visibility.find_surface_in_parts()
        blocks = self._blocks_with_surface()
        update = yield from self.surface.renew_in_parts(blocks, *self._what_is_meshed(), stamp_ns)
        return self._noted(update)

    def _what_is_meshed(self) -> tuple[SdfFunction, ColourFunction, ObservedFunction, bool]:
        sdf: SdfFunction = self.field.sdf
        voxel_m = self.config.meshing.voxel_size_m
        may_hold_mesh: ObservedFunction = partial(self.grid.may_hold_mesh, voxel_m=voxel_m)
        fused = self._what_is_fused
        if fused is not None and fused.is_as_fine_as(voxel_m):
            sdf = fused.sdf_of_mesh
            has_returned: ObservedFunction = partial(self.grid.has_returned, voxel_m=voxel_m)
            may_hold_mesh = partial(fused.may_hold_mesh, may_hold_mesh, has_returned)
        elif fused is not None:
            # Corners of larger cells lie beyond what was measured around a surface.
            sdf = fused.sdf
        return sdf, self.surface_colours, may_hold_mesh, self.field.is_pointwise

    def _noted(self, update: MeshUpdate) -> MeshUpdate:
        """Let those who ask the surface know that it has changed."""
        if update.upserts or update.removed:
            # Its discs are those of the mesh.
            self.planner.forget()
            self.visibility.on_surface_changed()
        return update

    def surface_colours(
        self, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3"]:
        """Return the colour of points on the surface, 0 to 1, seen head-on."""
        fused = self._what_is_fused
        if fused is None:
            return self._colours_of_field(points, normals)
        return fused.colours(self._colours_of_field, points, normals)

    def _colours_of_field(
        self, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3"]:
        # Colour alone leaves the surface blurred, and its colour beside it.
        is_blurred = self.field.init != "depth" and self.field.config.kind == "sdf"
        knows_views = self.config.training.view_dropout == 0
        of_field = partial(vertex_colours, self.field, is_blurred, knows_views)
        if self.pictures is None:
            return of_field(points, normals)
        return self.pictures.colours(of_field, points, normals)

    def revisit_surface(self, within_s: float) -> None:
        """Have all blocks meshed in turn where there is no depth to tell which of them change.

        Args:
            within_s: Time to look for the surface; what is not seen by then is in later calls.
        """
        # With depth, keyframes tell what changes; without, blocks that wait are meshed before
        # others come.
        if self.grid.has_sensor or len(self.surface.dirty):
            return
        if self.visibility.look_on(within_s):
            self.surface.dirty.add(self._blocks_with_surface())

    @property
    def has_mesh_left(self) -> bool:
        """Whether the last call for a mesh or a look for the surface left some of it for later."""
        return self.surface.dirty.known > 0 or self.visibility.is_looking

    def _blocks_with_surface(self) -> list[BlockIndex]:
        blocks = self.surface.blocks_with_surface(self.grid.occupied_centres(), self.grid.cell_m)
        fused = self._what_is_fused
        return blocks if fused is None else sorted({*blocks, *fused.mesh_blocks()})

    def pass_by(self, frame: Frame) -> None:
        """Take in what a frame shows that is not kept."""
        points = self.inserter.pass_by(frame)
        if points is not None:
            self.surface.dirty.mark(points)

    def render_in_parts(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> InParts[RenderedImage]:
        """Render colour, depth and normal as the camera would see them, of what is meshed."""
        surface = self._surface_before(camera, world_from_camera)
        is_white = self.config.training.shows_white and self.field.background is None
        # Sharpness and annealing are trained together: exact opacities would show another surface.
        cos_anneal = self.config.training.cos_anneal(self.train_step.steps)
        pose = torch.as_tensor(world_from_camera, dtype=torch.float32).to(self.device)
        return self.renderer.render_in_parts(camera, pose, float(is_white), cos_anneal, surface)

    def _surface_before(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> MeshedSurface | None:
        """Return the surface that a camera looks at; None where the field alone is the map."""
        fused = self._what_is_fused
        if fused is None:
            return None
        voxel_m, grid = self.config.meshing.voxel_size_m, self.grid
        sdf, _, may_hold_mesh, _ = self._what_is_meshed()
        # The field, too, shows surface only where returns have seen some.
        places = grid.cells_of_view.clone()
        grid.set_cells(places, fused.near_surface(camera, world_from_camera, voxel_m))

        def of_field(
            points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
        ) -> Float[Tensor, "n 3"]:
            return self.field(points, directions).rgb

        colours = partial(fused.colours, of_field)
        return MeshedSurface(sdf, may_hold_mesh, colours, voxel_m, places, grid.aabb)

    def query(self, points: Float[np.ndarray, "n 3"]) -> PlanningAnswer:
        """Answer a planner's points; see `Reconstructor.query`."""
        return self.planner.query(points, self.planning_scene())

    def occupancy_slice(self, z_min_m: float, z_max_m: float) -> OccupancySlice:
        """Tell what is free, occupied and unknown between two heights."""
        return self.planner.occupancy_slice(z_min_m, z_max_m, self.planning_scene())

    def occupied_voxels(self) -> Float[np.ndarray, "n 3"]:
        """Return the centres of the cells that hold surface."""
        return self.planner.occupied_voxels(self.planning_scene())

    def esdf_slice(self, z_m: float) -> EsdfSlice:
        """Tell the distances at a height."""
        return self.planner.esdf_slice(z_m, self.planning_scene())

    def planning_scene(self) -> PlanningScene:
        """Return what a planner sees of the map."""
        grid, fused = self.grid, self._what_is_fused
        # What the sensor has measured, or without one, what the views see of the field.
        has_log_odds = grid.has_sensor or self.is_empty
        log_odds = grid.log_odds if has_log_odds else self.visibility.log_odds()
        return PlanningScene(
            log_odds,
            grid.aabb[0],
            grid.cell_m,
            self.surface.blocks,
            self.field.sdf if fused is None else fused.sdf,
        )

    def keyframe_poses(self) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """Return `map_from_camera` of the keyframes that are held, oldest first."""
        return dict(zip(self.buffer.ids, self.buffer.poses, strict=True))

    def move_keyframes(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses; return how many of them are held."""
        return self.inserter.move(poses)

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A reconstruction put together: from the first frames, from given weights, from a checkpoint."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from ineus_core.dynamic_objects import DynamicFilter
from ineus_core.errors import CapacityError
from ineus_core.exposure import ExposureCorrection
from ineus_core.fields import FieldConfig, HashSdf, add_background, make_field
from ineus_core.fusion import FusedVolume
from ineus_core.geometry import look_one_way
from ineus_core.keyframes import KeyframeBuffer, KeyframePolicy, KeyframeSelector, Replay
from ineus_core.meshing import Surface
from ineus_core.planning import Planner
from ineus_core.pose_refinement import PoseRefiner
from ineus_core.reconstruction.checkpoint import CheckpointContent
from ineus_core.reconstruction.completion import DepthCompletion
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.depth_integrator import DepthIntegrator
from ineus_core.reconstruction.estimated_depth import EstimatedDepth
from ineus_core.reconstruction.frame_gate import FrameGate
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.reconstruction.gone_surface import GoneSurface
from ineus_core.reconstruction.keyframe_correction import KeyframeCorrection
from ineus_core.reconstruction.keyframe_inserter import KeyframeInserter
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.picture_colours import PictureColours
from ineus_core.reconstruction.reconstruction import Reconstruction
from ineus_core.reconstruction.scene_bounds import SceneBounds, estimate_bounds
from ineus_core.rendering import (
    ImageRenderer,
    OccupancyGrid,
    ViewVisibility,
    resolved_rendering,
)
from ineus_core.timing import Pace, TimeShare
from ineus_core.training import Ranks, make_step, resolved_training
from ineus_core.types import Camera, Frame

_SHARE_OF_HOLES = 0.5
"""Of the time that depth from motion may take online, where a sensor measures most of it."""


@dataclass(frozen=True)
class GivenField:
    """A field that is trained already."""

    field: HashSdf
    aabb: Float[np.ndarray, "2 3"]
    """Its box, in the map."""
    origin: MapOrigin


@dataclass(frozen=True)
class Assembly:
    """Puts reconstructions together under one configuration.

    Args:
        config: As it was given.
        device: Where everything lies.
        ranks: The processes that train the same field, if there are several.
        make_policy: Makes what decides which frames become keyframes; else it is the configured
            `KeyframeSelector`.
        time_for_depth: Makes what says whether there is time to estimate depth; None: there
            always is.
    """

    config: ReconstructorConfig
    device: torch.device
    ranks: Ranks | None = None
    make_policy: Callable[[], KeyframePolicy] | None = None
    time_for_depth: Callable[[], TimeShare | None] = lambda: None

    def policy(self) -> KeyframePolicy:
        """Make what decides which frames become keyframes."""
        if self.make_policy is not None:
            return self.make_policy()
        return KeyframeSelector(self.config.selector, self.config.depth)

    def gate(self) -> FrameGate:
        """Make what decides on each frame as it comes."""
        config = self.config
        return FrameGate(
            self.policy,
            config.keyframes.capacity,
            config.bounds.frames_to_start,
            passes_on=self._fuses,
        )

    @property
    def _fuses(self) -> bool:
        """Whether measured depth is fused beside the field."""
        return self.config.fusion.enabled and self.device.type == "cpu"

    def _fused(
        self, config: ReconstructorConfig, field: HashSdf, volume: FusedVolume | None
    ) -> FusedMap | None:
        """Make what stands in the map until the field is better, if that is wanted."""
        # Without depth nothing is measured that could stand in the map for the field.
        if volume is None or not self._fuses or field.init != "depth":
            return None
        return FusedMap(volume, field, config.depth, config.meshing.block_size_m)

    def estimates_depth(
        self,
        expected: Sequence[Float[np.ndarray, "4 4"]],
        points: Float[np.ndarray, "n 3"] | None,
    ) -> bool:
        """Decide whether keyframes without depth get an estimate.

        What is seen from all around has its box from the cameras, and its field begins as a ball
        that pictures shape; so has what is asked to begin otherwise than in free space.

        Args:
            expected: Poses of all frames that will come, where they are known.
            points: On surfaces, where some are known.
        """
        config = self.config
        is_free = config.field.init in ("auto", "depth") and config.background.kind != "learned"
        if not config.stereo.enabled or not is_free:
            return False
        if not expected or config.field.init == "depth" or look_one_way(expected):
            return True
        bounds = estimate_bounds([], expected, config.bounds, config.depth, points)
        return bounds.scene_kind != "object"

    def estimated_depth(
        self, points: Float[np.ndarray, "n 3"] | None, is_set: bool
    ) -> EstimatedDepth:
        """Make what gives keyframes without depth their depth.

        Args:
            points: On surfaces, where some are known.
            is_set: They are a set of photographs, of which all are known.
        """
        stereo = self.config.stereo.of_photographs() if is_set else self.config.stereo
        # On a CPU a first depth at once takes as long as the better one a little later.
        is_fast = self.device.type == "cuda"
        stereo = stereo.model_copy(update={"provisional": stereo.provisional and is_fast})
        share = self.time_for_depth()
        return EstimatedDepth(
            stereo, self.config.depth, self.device, points, share,
            in_order=not is_set, beside=self._is_live_on_gpu(share),
        )  # fmt: skip

    def _is_live_on_gpu(self, share: TimeShare | None) -> bool:
        # Only a stream has a limit of its time.
        return self.device.type == "cuda" and share is not None

    def _holes(self) -> EstimatedDepth | None:
        """Make what estimates the depth that a sensor does not return, if that is wanted."""
        stereo = self.config.stereo
        share = self.time_for_depth()
        is_live_on_gpu = self._is_live_on_gpu(share)
        wanted = {"auto": not is_live_on_gpu, "always": True, "never": False}
        if not stereo.enabled or not wanted[stereo.fill_holes]:
            return None
        stereo = stereo.model_copy(update={"provisional": False})
        # Most of the depth is there: training goes before what is not.
        time_share = None if share is None else share.part(_SHARE_OF_HOLES)
        return EstimatedDepth(
            stereo, self.config.depth, self.device, time_share=time_share, beside=is_live_on_gpu
        )

    def begin(
        self,
        origin: MapOrigin,
        frames: Sequence[Frame],
        expected: Sequence[Float[np.ndarray, "4 4"]],
        points: Float[np.ndarray, "n 3"] | None,
        given: GivenField | None,
        is_set: bool = False,
    ) -> Reconstruction:
        """Build what the first frames call for; they are not added yet.

        All coordinates are those of the map.

        Args:
            origin: What they count from.
            frames: At least one.
            expected: Poses of all frames that will come, or of as many as are known.
            points: On surfaces, where some are known. An object before a background of its own is
                boxed without them.
            given: A field to begin with; else a new one is made.
            is_set: They are a set of photographs, whose unit of length may be any.
        """
        # Weights begin from torch's own generator, whatever has drawn from it before.
        torch.manual_seed(self.config.seed)
        # Points on the background would widen the box of the object.
        has_own_box = (
            self.config.field.init == "object" or self.config.background.kind == "learned"
        )
        bounds = estimate_bounds(
            frames,
            expected,
            self.config.bounds.counted_from(origin.offset_m),
            self.config.depth,
            None if has_own_box else points,
            is_set,
        )
        config = self.config.with_voxels_of(bounds.voxel_m)
        # A frame that claims to show a kilometre is refused when it is added, as later ones.
        at_camera = _only_camera_of(frames[0], bounds)
        is_stream = bounds.scene_kind == "depth" and config.field.init in ("auto", "depth")
        is_by_depth = is_stream and len(config.bounds.aabb) == 0
        if is_by_depth and not _fits_a_stream(bounds.aabb, config.field):
            bounds = at_camera
        try:
            field, grid = _first_field_and_grid(config, bounds, given, self.device)
        # A box that was given, or that cameras span, is meant as it is: a smaller one would cut
        # the scene.
        except CapacityError:
            if not is_by_depth:
                raise
            field, grid = _first_field_and_grid(config, at_camera, given, self.device)
        # Frames that come later may still lack it: their pixels then count as unknown.
        knows_foreground = any(frame.foreground is not None for frame in frames)
        camera = frames[0].camera
        volume = FusedVolume(config.fusion, config.meshing.voxel_size_m)
        return self._assemble(
            config, origin, field, grid, camera, knows_foreground, volume, are_photographs=is_set
        )

    def restore(self, content: CheckpointContent) -> Reconstruction:
        """Build what a checkpoint holds."""
        torch.manual_seed(self.config.seed)
        field = content.field(self.config.field.backend, self.device)
        grid = content.grid(self.config.occupancy, self.device)
        # Of the map, not of the configuration: blocks and cells have this size.
        config = self.config.with_voxels_of(content.voxel_size_m)
        has_foreground = content.meta.has_foreground
        restored = self._assemble(
            config,
            content.origin,
            field,
            grid,
            content.camera,
            has_foreground,
            content.fused(config.fusion),
        )
        if restored.fused is not None:
            content.resume_shares(restored.fused)
        # Rays stand for the keyframes that they were drawn from, whose pictures are not saved.
        restored.replay.keep(content.rays)
        restored.replay.image_background.copy_(content.image_background)
        restored.inserter.resume_exposure(content.meta.exposure_varies)
        restored.train_step.resume_at(content.meta.step)
        return restored

    def restore_field(self, content: CheckpointContent) -> GivenField:
        """Take the field of a checkpoint, and nothing else of it."""
        grid = content.grid(self.config.occupancy, self.device)
        field = content.field(self.config.field.backend, self.device)
        return GivenField(field, grid.host_aabb, content.origin)

    def _assemble(
        self,
        config: ReconstructorConfig,
        origin: MapOrigin,
        field: HashSdf,
        grid: OccupancyGrid,
        camera: Camera,
        knows_foreground: bool,
        volume: FusedVolume | None = None,
        are_photographs: bool = False,
    ) -> Reconstruction:
        """Put together what trains a field, takes in frames and shows the surface.

        Args:
            config: With the size of the voxels resolved.
            origin: What the coordinates of all that is given count from.
            camera: Of the first frame.
            knows_foreground: Frames say which pixels show the object.
            volume: What was fused already; None if a map was begun without it, which then goes
                on so: what few new frames show would stand before what many have taught the field.
            are_photographs: All keyframes are a set of photographs, and will be held.
        """
        device = self.device
        training = resolved_training(config.training, device, field.init)
        config = config.model_copy(update={"training": training})
        has_foreground = knows_foreground and training.reads_foreground
        of_rays, of_cells = _generators(config.seed, device, self.ranks)
        # Frames without depth may come at any time, as from a sensor that fails.
        has_confidence = config.stereo.enabled
        buffer = KeyframeBuffer(
            config.keyframes, camera, device, has_foreground, config.depth, has_confidence
        )
        replay = Replay(config.replay, buffer, of_rays)
        rendering = resolved_rendering(config.rendering, device)
        train_step = make_step(
            training, config.ray_sampling, field, grid, replay, of_rays, rendering, self.ranks
        )
        surface = Surface(config.meshing, device)
        # One for both: the inserter counts, the reconstruction reports.
        counters: Counter[str] = Counter()
        fused = self._fused(config, field, volume)
        is_by_depth_on_cpu = device.type == "cpu" and field.init == "depth"
        inserter = _inserter(
            config, origin, field, grid, buffer, replay, surface, self._holes(), fused, counters
        )
        voxel_m, truncation_m = config.meshing.voxel_size_m, config.ray_sampling.truncation_m
        return Reconstruction(
            config=config,
            origin=origin,
            device=device,
            field=field,
            grid=grid,
            buffer=buffer,
            replay=replay,
            train_step=train_step,
            inserter=inserter,
            visibility=ViewVisibility(
                field.sdf, grid, replay.draw, config.occupancy.visibility_rays, device
            ),
            renderer=ImageRenderer(field, grid),
            surface=surface,
            planner=Planner(config.planning, voxel_m, truncation_m, device),
            fused=fused,
            # A GPU teaches the field their colours in seconds.
            pictures=PictureColours(buffer) if are_photographs and is_by_depth_on_cpu else None,
            counters=counters,
            pace=Pace(device),
            grid_generator=of_cells,
        )


def _generators(
    seed: int, device: torch.device, ranks: Ranks | None
) -> tuple[torch.Generator, torch.Generator]:
    """Return the generators of the rays and of the cells of the grid."""
    of_rays = torch.Generator(device).manual_seed(seed)
    if ranks is None:
        return of_rays, of_rays
    # Rays of its own for each process, but the same cells of the grid for all.
    return of_rays.manual_seed(seed + ranks.seed_offset), torch.Generator(device).manual_seed(seed)


def _fits_a_stream(aabb: Float[np.ndarray, "2 3"], config: FieldConfig) -> bool:
    """Tell whether a box fits into the cube of a stream; if not, a grid over it may be huge."""
    return bool((aabb[1] - aabb[0] <= config.extent_m).all())


def _only_camera_of(frame: Frame, bounds: SceneBounds) -> SceneBounds:
    """Return bounds around where a frame was taken, whatever it shows."""
    position_m = frame.world_from_camera[:3, 3]
    return replace(bounds, aabb=np.stack((position_m, position_m)))


def _first_field_and_grid(
    config: ReconstructorConfig,
    bounds: SceneBounds,
    given: GivenField | None,
    device: torch.device,
) -> tuple[HashSdf, OccupancyGrid]:
    """Make a field over a scene, and a grid in which nothing is observed.

    Args:
        config: With the size of the voxels resolved.
        given: A field to begin with; else a new one is made.
    """
    voxel_m, aabb = config.meshing.voxel_size_m, bounds.aabb
    if given is not None:
        field = given.field
        # With depth the grid grows with the frames that come; without, nobody would widen it
        # later.
        aabb = aabb if field.init == "depth" else given.aabb
    else:
        init = bounds.scene_kind if config.field.init == "auto" else config.field.init
        field = make_field(config.field, init, aabb, voxel_m, device)
        if config.background.kind == "learned":
            add_background(field, config.background)
    side_m = float((aabb[1] - aabb[0]).max())
    # Without depth the box is all that is known of the size of the scene.
    default_m = 2 * voxel_m if field.init == "depth" else side_m / 128
    cell_m = config.occupancy.cell_m or default_m
    box = torch.as_tensor(aabb, dtype=torch.float32)
    return field, OccupancyGrid(config.occupancy, cell_m, box, device)


def _inserter(
    config: ReconstructorConfig,
    origin: MapOrigin,
    field: HashSdf,
    grid: OccupancyGrid,
    buffer: KeyframeBuffer,
    replay: Replay,
    surface: Surface,
    holes: EstimatedDepth | None,
    fused: FusedMap | None,
    counters: Counter[str],
) -> KeyframeInserter:
    integrator = DepthIntegrator(
        config.depth,
        truncation_m=config.ray_sampling.truncation_m,
        reach_m=0.5 * config.meshing.voxel_size_m,
        grid=grid,
        dirty=surface.dirty,
        device=surface.device,
    )
    limits = buffer.capacity, config.depth.min_m, config.depth.max_m
    refiner = dynamic = exposure = None
    if config.pose_refinement.enabled:
        refiner = PoseRefiner(config.pose_refinement, *limits)
    if config.dynamic_objects.enabled:
        # One more than are held, as the newest is compared before it takes a slot.
        dynamic = DynamicFilter(config.dynamic_objects, 1 + limits[0], *limits[1:])
    if config.exposure.enabled:
        exposure = ExposureCorrection(config.exposure, *limits[1:])
    completion = DepthCompletion(config.completion, config.depth)
    return KeyframeInserter(
        origin,
        config.bounds,
        config.depth,
        field,
        grid,
        buffer,
        replay,
        integrator,
        KeyframeCorrection(refiner, dynamic, exposure, completion),
        GoneSurface(surface.dirty),
        holes,
        fused,
        counters,
    )

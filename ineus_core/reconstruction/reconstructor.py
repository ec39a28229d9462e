# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The door to the reconstruction of a scene: frames in, steps, meshes and views out."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ineus_core.errors import CapacityError, CheckpointError, SourceError
from ineus_core.geometry import up_of_cameras
from ineus_core.keyframes import KeyframePolicy
from ineus_core.meshing import moved_mesh, weld
from ineus_core.planning import EsdfSlice, OccupancySlice, PlanningAnswer
from ineus_core.reconstruction.checkpoint import DOES_NOT_FIT, CheckpointContent, content_of
from ineus_core.reconstruction.checkpoint_files import write_checkpoint
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.frame_intake import FrameIntake
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.reconstruction import Reconstruction
from ineus_core.rendering import resolved_rendering
from ineus_core.timing import InParts, at_once, peak_memory_mb
from ineus_core.training import Ranks, check_device
from ineus_core.types import Camera, Frame, KeyframeId, Mesh, MeshUpdate, RenderedImage, StepReport

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Reconstructor:
    """Builds a reconstruction from the first frames, or takes one over from a checkpoint.

    What exists only after the first frame is in `reconstruction`. Its coordinates count from
    `origin_m`, which is not 0 where the first cameras are far from the world's origin; what is
    given and returned here is in the world, but for the blocks of a `MeshUpdate`.

    Args:
        config: Of every part.
        device: Where everything lies.
        ranks: The processes that train the same field on the same frames, if there are several.
        make_policy: Makes a keyframe policy of your own, anew for each map. Frames come to it as
            they were given, on the thread that gives them.
    """

    def __init__(
        self,
        config: ReconstructorConfig,
        device: torch.device,
        ranks: Ranks | None = None,
        make_policy: Callable[[], KeyframePolicy] | None = None,
    ) -> None:
        """Hold nothing until the first frame."""
        self.device, self.ranks = device, ranks
        self._given_config, self._dataset_from_world = config, np.eye(4)
        self.intake = FrameIntake(config, device, ranks, make_policy)
        """Takes frames, in one call or in parts; holds the reconstruction that they began."""
        # What the device cannot do is said now, not when the first frame comes.
        buffers = config.keyframes, config.replay
        check_device(*buffers, config.field, config.ray_sampling, config.training, device)
        resolved_rendering(config.rendering, device)
        self._report_began_s = time.perf_counter()

    def reset(self) -> None:
        """Forget everything, as if no frame had come."""
        self.intake.reset()
        self._report_began_s = time.perf_counter()

    @property
    def _reconstruction(self) -> Reconstruction | None:
        return self.intake.map

    @property
    def is_started(self) -> bool:
        """Whether there is a reconstruction: frames, or a checkpoint, have told the scene."""
        return self._reconstruction is not None

    @property
    def reconstruction(self) -> Reconstruction:
        """All that exists once there was a frame.

        Raises:
            SourceError: There was none; see `is_started`.
        """
        if self._reconstruction is None:
            raise SourceError("there is no reconstruction yet: expected a frame first")
        return self._reconstruction

    @property
    def config(self) -> ReconstructorConfig:
        """As it was given, and from the first frame on with the sizes that it decides."""
        started = self._reconstruction
        return self._given_config if started is None else started.config

    @property
    def counters(self) -> Counter[str]:
        """Of what became of the frames."""
        return self.intake.counters

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to train on."""
        return self._reconstruction is not None and not self._reconstruction.is_empty

    @property
    def steps(self) -> int:
        """Optimiser steps taken."""
        return 0 if self._reconstruction is None else self._reconstruction.train_step.steps

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest frame."""
        return self.intake.newest_stamp_ns

    @property
    def has_depth(self) -> bool:
        """Whether there is depth, measured or estimated, as is assumed before the first frame."""
        return self._reconstruction is None or self._reconstruction.grid.has_sensor

    @property
    def is_measured(self) -> bool:
        """Whether the depth is a sensor's, as is assumed before the first frame."""
        return self.has_depth and self.intake.is_measured

    @property
    def exposure_varies(self) -> bool:
        """Whether colours of frames were brought to one exposure, as that of the camera varies."""
        started = self._reconstruction
        return started is not None and started.inserter.exposure_varies

    @property
    def origin(self) -> MapOrigin:
        """What the coordinates of `reconstruction` count from."""
        return self.intake.origin

    @property
    def origin_m(self) -> tuple[float, float, float]:
        """World position that the coordinates of `reconstruction` count from."""
        return self.origin.x_m, self.origin.y_m, self.origin.z_m

    @property
    def dataset_from_world(self) -> Float[np.ndarray, "4 4"]:
        """Similarity to the coordinates that saved meshes have."""
        return self._dataset_from_world

    def save_meshes_in(self, dataset_from_world: Float[np.ndarray, "4 4"]) -> None:
        """Save meshes in other coordinates, such as those that a source has for its data."""
        self._dataset_from_world = dataset_from_world

    @property
    def up(self) -> Float[np.ndarray, " 3"]:
        """Direction against gravity: the world's z axis, or the mean image top if that differs."""
        return up_of_cameras(list(self.keyframe_poses().values()))

    def expect(
        self,
        poses: Sequence[Float[np.ndarray, "4 4"]],
        points: Float[np.ndarray, "n 3"] | None = None,
    ) -> None:
        """Say from where all frames will be, as `FrameIntake.expect` does."""
        self.intake.expect(poses, points)

    def add_frame(self, frame: Frame) -> bool:
        """Take a frame; False if it is not needed as a keyframe."""
        return self.intake.take(self.intake.judge(frame))

    def start(self) -> bool:
        """Build the field from the frames so far; comes by itself, or is called after the last."""
        return self.intake.start()

    def step(self) -> None:
        """Take one optimiser step; nothing happens before the first keyframe."""
        started = self._reconstruction
        if started is None or started.is_empty:
            return
        started.train_step()
        started.pace.after_step()
        if started.train_step.steps % started.config.occupancy.update_every == 0:
            started.update_occupancy()
            started.weigh_field()

    def refine(self, remaining: float) -> None:
        """Lower the learning rates for the end of an offline run, and draw from all frames alike.

        Args:
            remaining: Share of these last steps that are left, 1 to 0.
        """
        if self._reconstruction is not None:
            self._reconstruction.refine(remaining)

    def extract_mesh(self, everything: bool = False, within_s: float | None = None) -> MeshUpdate:
        """Mesh what changed since the last call, or all of it.

        Args:
            within_s: Time that meshing what changed may take; the rest comes with later calls.
        """
        if not self.is_ready:
            return MeshUpdate(self.newest_stamp_ns, (), ())
        return self._in_world(
            self.reconstruction.extract_mesh(everything, self.newest_stamp_ns, within_s)
        )

    def extract_mesh_in_parts(self) -> InParts[MeshUpdate]:
        """Mesh all of it, with pauses in which the caller may train but not mesh.

        Raises:
            SourceError: The map was replaced in a pause.
        """
        if not self.is_ready:
            return MeshUpdate(self.newest_stamp_ns, (), ())
        parts = self.reconstruction.extract_all_in_parts(self.newest_stamp_ns)
        return self._in_world((yield from self._of_one_map(parts, "it was meshed")))

    def _in_world(self, update: MeshUpdate) -> MeshUpdate:
        """Say of an update of the map where that lies, and once that it is a new one."""
        begins_anew, self.intake.begins_anew = self.intake.begins_anew, False
        return replace(update, origin_m=self.origin_m, begins_anew=begins_anew)

    def _of_one_map(self, parts: InParts[_T], what: str) -> InParts[_T]:
        """Do parts as long as the map stays.

        Args:
            what: Was done with the map meanwhile, for the error.
        """
        started = self._reconstruction
        # Between two parts a reset may have come.
        while self._reconstruction is started:
            try:
                next(parts)
            except StopIteration as end:
                return end.value
            yield
        raise SourceError(f"the map was replaced while {what}")

    def revisit_surface(self, within_s: float = math.inf) -> None:
        """Have all blocks meshed in turn where there is no depth to tell which of them change.

        Args:
            within_s: Time to look for the surface; what is not seen by then is in later calls.
        """
        if self.is_ready:
            self.reconstruction.revisit_surface(within_s)

    @property
    def has_mesh_left(self) -> bool:
        """Whether calls that were to take some time only have left some of the mesh for later."""
        return self.is_ready and self.reconstruction.has_mesh_left

    def mesh(self) -> Mesh:
        """Return the whole surface, freshly extracted, welded, without small components."""
        self.extract_mesh(everything=True)
        return self.current_mesh()

    def mesh_to_save(self) -> Mesh:
        """Return `current_mesh` in the coordinates of the data set."""
        return moved_mesh(self.current_mesh(), self.dataset_from_world)

    def current_mesh(self) -> Mesh:
        """Return the surface as last extracted, welded, without small components."""
        if self._reconstruction is None:
            return weld(())
        return self.origin.mesh_in_world(self._reconstruction.surface.mesh())

    def surface_colours(
        self, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]
    ) -> UInt8[np.ndarray, "n 3"]:
        """Return the colours of points on the surface, seen head-on, as those of the mesh are.

        Args:
            points: In the world, m.
            normals: Unit length.
        """
        in_map = self.origin.points_in_map(points)
        on_device = (torch.from_numpy(a).float().to(self.device) for a in (in_map, normals))
        rgb = self.reconstruction.surface_colours(*on_device)
        return (rgb.clamp(0.0, 1.0) * 255).round().byte().cpu().numpy()

    def render(self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]) -> RenderedImage:
        """Render colour, depth and normal as the camera would see them."""
        return at_once(self.render_in_parts(camera, world_from_camera))

    def render_in_parts(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> InParts[RenderedImage]:
        """Render as `render` does, with pauses in which the caller may train."""
        if not self.is_ready:
            raise SourceError("nothing to render: no keyframe has come yet")
        pose = self.origin.pose_in_map(world_from_camera)
        parts = self.reconstruction.render_in_parts(camera, pose)
        return (yield from self._of_one_map(parts, "a view of it was rendered"))

    def query(self, points: Float[np.ndarray, "n 3"]) -> PlanningAnswer:
        """Tell distance to the surface as last extracted, gradient, and what was observed."""
        if self._reconstruction is None:
            return PlanningAnswer.of_nothing(len(points))
        return self._reconstruction.query(self.origin.points_in_map(points))

    def occupancy_slice(self, z_min_m: float, z_max_m: float) -> OccupancySlice | None:
        """Tell what is free, occupied and unknown between two heights; None before any frame."""
        started, z_m = self._reconstruction, self.origin.z_m
        if started is None:
            return None
        found = started.occupancy_slice(z_min_m - z_m, z_max_m - z_m)
        return started.origin.occupancy_in_world(found)

    def occupied_voxels(self) -> Float[np.ndarray, "n 3"]:
        """Return the centres, in the world, of the occupied cells that hold surface."""
        if self._reconstruction is None:
            return np.zeros((0, 3))
        return self.origin.points_in_world(self._reconstruction.occupied_voxels())

    def esdf_slice(self, z_m: float) -> EsdfSlice | None:
        """Tell the distances at a height; None before any frame."""
        started = self._reconstruction
        if started is None:
            return None
        return started.origin.esdf_in_world(started.esdf_slice(z_m - started.origin.z_m))

    def dynamic_points(self) -> Float[np.ndarray, "n 3"]:
        """Return world points of the newest keyframe that may move, and are not in the map yet."""
        if self._reconstruction is None:
            return np.zeros((0, 3))
        return self.origin.points_in_world(self._reconstruction.inserter.dynamic_points())

    def keyframe_poses(self) -> dict[KeyframeId, Float[np.ndarray, "4 4"]]:
        """Return `world_from_camera` of the keyframes that are held, oldest first."""
        if self._reconstruction is None:
            return {}
        held = self._reconstruction.keyframe_poses()
        return {keyframe: self.origin.pose_in_world(pose) for keyframe, pose in held.items()}

    def move_keyframes(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses; return how many of them are held.

        What their depth shows is observed anew. The field follows as training goes on, and surface
        in the old place goes as rays pass through it.
        """
        return self.intake.move_keyframes(poses)

    def report(self) -> StepReport:
        """Report the progress since the last report; waits for the device."""
        now_s = time.perf_counter()
        # By the wall clock: by that of the stream, a bag at its end showed 0 steps/s for good.
        elapsed_s, self._report_began_s = now_s - self._report_began_s, now_s
        losses: dict[str, float] = {}
        samples = rays = keyframes = 0
        inv_s, counters = 0.0, Counter(self.counters)
        if self._reconstruction is not None:
            step = self._reconstruction.train_step
            losses, samples, rays = step.take_means()
            counters += step.counters
            inv_s = float(self._reconstruction.field.inv_s.detach())
            keyframes = len(self._reconstruction.buffer)
        return StepReport(
            step=self.steps,
            stamp_ns=self.newest_stamp_ns,
            losses=losses,
            counters=dict(counters),
            inv_s=inv_s,
            samples_per_second=samples / elapsed_s,
            rays_per_second=rays / elapsed_s,
            keyframes=keyframes,
            memory_mb=peak_memory_mb(self.device),
        )

    def save(self, directory: Path) -> Path:
        """Write a checkpoint: a directory with safetensors and JSON."""
        if self._reconstruction is None:
            raise SourceError("nothing to save: no keyframe has come yet")
        tensors, meta = content_of(
            self._reconstruction, self.dataset_from_world, self.newest_stamp_ns
        )
        return write_checkpoint(directory, tensors, meta)

    def load(self, directory: Path) -> None:
        """Take over a checkpoint; what was mapped before is forgotten.

        Raises:
            CheckpointError: It cannot be used; what was mapped before then stays as it was.
            CapacityError: There is no room for it; likewise.
        """
        content = CheckpointContent.read(directory)
        with _named(directory):
            self.intake.restore(content)
        self._dataset_from_world = content.dataset_from_world
        self._report_began_s = time.perf_counter()

    def load_weights(self, directory: Path) -> None:
        """Begin with the field of a checkpoint, and with nothing else of it: its training anew.

        Raises:
            CheckpointError: It cannot be used; what was mapped before then stays as it was.
        """
        content = CheckpointContent.read(directory)
        with _named(directory):
            self.intake.restore_field(content)
        self._report_began_s = time.perf_counter()


@contextmanager
def _named(directory: Path) -> Iterator[None]:
    """Name the checkpoint in what building from it raises."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise CapacityError(
            f"checkpoint {directory} finds no room on the device beside the present map: {error}; "
            "a reset makes room"
        ) from error
    except DOES_NOT_FIT as error:
        raise CheckpointError(
            f"checkpoint {directory} does not hold what it should: {error}"
        ) from error

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reconstruction behind the node: the worker, the mesh on its way out, jobs of services."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from ineus_core.consistency import Verdict
from ineus_core.errors import SourceError
from ineus_core.meshing import remove_small_components, weld, write_mesh
from ineus_core.pipeline import Pipeline, PipelineConfig, Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.timing import InParts
from ineus_core.types import Camera, Frame, Mesh, MeshUpdate, RenderedImage, StepReport
from ineus_core.viewer import LivePage
from ineus_ros.outputs import MeshPublisher

_log = logging.getLogger(__name__)


class Engine:
    """Owns the worker, is the sink of its pipeline, and does what the services ask for.

    Args:
        reconstructor: From `start` on only the worker touches it.
        now_ns: The ROS clock.
        make_mesh_publisher: Given a function that has the whole mesh published again.
        is_plain: Frames are as messages say, so that the check of the input may name settings.
    """

    def __init__(
        self,
        reconstructor: Reconstructor,
        config: PipelineConfig,
        now_ns: Callable[[], int],
        make_mesh_publisher: Callable[[Callable[[], None]], MeshPublisher],
        is_plain: bool = True,
    ) -> None:
        """Prepare; `start` begins."""
        self._pipeline = Pipeline(reconstructor, self, config, is_live=True)
        if self._pipeline.input_check is not None:
            self._pipeline.input_check.expect(names_settings=is_plain)
        self.worker = Worker(self._pipeline, now_ns)
        self.mesh = make_mesh_publisher(self._republish)
        self.report: StepReport | None = None
        self._page: LivePage | None = None
        # Read now: from `start` on only the worker may touch the reconstructor.
        self._min_component_triangles = reconstructor.config.meshing.min_component_triangles
        self._refreshed_step = 0
        self._last_frame_s = time.monotonic()
        self._refresh: Future[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self.worker.start()

    def show_on(self, page: LivePage) -> None:
        """Show on a page what comes; to be called before the start."""
        self._page = page

    def stop(self, timeout_s: float) -> bool:
        """End after the present step; False if it takes longer."""
        return self.worker.stop(timeout_s)

    def set_paused(self, paused: bool) -> None:
        """Rest after the present step, or go on."""
        (self.worker.pause if paused else self.worker.resume)()

    def submit(self, frame: Frame) -> None:
        """Hand a frame to the worker."""
        self._last_frame_s = time.monotonic()
        self.worker.submit(frame)
        if self._page is not None:
            self._page.on_frame(frame)

    def on_mesh(self, update: MeshUpdate) -> None:
        """Publish what changed."""
        # A topic that cannot be written to, as at shutdown, must not end the reconstruction.
        try:
            self.mesh.on_mesh(update)
        except Exception:
            _log.exception("the mesh was not published")
        if self._page is not None:
            self._page.on_mesh(update)

    def on_report(self, report: StepReport) -> None:
        """Keep the newest report for /diagnostics."""
        self.report = report
        if self._page is not None:
            self._page.on_report(report)

    def render(self, camera: Camera, world_from_camera: np.ndarray) -> "Future[RenderedImage]":
        """Render between ticks, as on a CPU it takes many of them."""
        return self.worker.call_in_parts(
            lambda p: p.reconstructor.render_in_parts(camera, world_from_camera)
        )

    def refresh_when_idle(self, period_s: float) -> None:
        """Mesh everything anew if training goes on without frames; to be called now and then."""
        is_busy = self._refresh is not None and not self._refresh.done()
        idle_s = time.monotonic() - self._last_frame_s
        if is_busy or period_s <= 0 or idle_s < period_s:
            return
        # The next period begins now, whether or not anything has changed since the last mesh.
        self._last_frame_s = time.monotonic()
        self._refresh = self.worker.call_in_parts(self._refresh_mesh)

    def counters(self) -> dict[str, int]:
        """Return the frames as the pipeline counts them."""
        return dict(self._pipeline.counters)

    def agreement(self) -> Verdict | None:
        """Return whether the input agrees with itself, as soon as that is known."""
        check = self._pipeline.input_check
        return None if check is None else check.verdict

    def depth_range(self) -> str:
        """Return what is wrong with the range of the depth; empty if nothing is known to be."""
        return self._pipeline.depth_range.sentence

    def staleness_ms(self) -> list[float]:
        """Return the latest times from the submission of a frame to the mesh that knows it."""
        # The last ones, as the figure is to tell how it is now.
        return list(self._pipeline.staleness_ms)[-100:]

    def current_mesh(self) -> Mesh:
        """Return the mesh as last handed out, also when the worker has stopped."""
        mesh = remove_small_components(weld(self.mesh.blocks()), self._min_component_triangles)
        return self.mesh.origin.mesh_in_world(mesh)

    def save_mesh(self, path: Path) -> "Future[str]":
        """Mesh everything anew, publish and write it."""

        def job(pipeline: Pipeline) -> InParts[str]:
            # Blocks that training has moved since they were meshed would be as they were.
            yield from pipeline.update_mesh_in_parts()
            mesh = pipeline.reconstructor.current_mesh()
            if not len(mesh.triangles):
                expected = pipeline.depth_range.sentence or "expected frames with poses first"
                raise SourceError(f"there is no mesh yet: {expected}")
            return str(write_mesh(mesh, path))

        # Of equal requests that wait, one is done and all get its result.
        return self.worker.call_in_parts(job, key=("save_mesh", path))

    def save_checkpoint(self, path: Path) -> "Future[str]":
        """Write a checkpoint."""
        key = ("save_checkpoint", path)
        return self.worker.call(lambda p: str(p.reconstructor.save(path)), key=key)

    def load_checkpoint(self, path: Path) -> "Future[str]":
        """Take over a checkpoint and publish its mesh."""

        def job(pipeline: Pipeline) -> InParts[str]:
            pipeline.reconstructor.load(path)
            # Subscribers hold blocks of another map.
            self._clear_mesh()
            yield from pipeline.update_mesh_in_parts()
            return str(path)

        return self.worker.call_in_parts(job, key=("load_checkpoint", path))

    def reset(self) -> "Future[str]":
        """Forget everything; a worker that has died works again."""

        def job(pipeline: Pipeline) -> str:
            pipeline.reconstructor.reset()
            pipeline.look_anew()
            self.report = None
            self._clear_mesh()
            return "forgot everything"

        # First, as a worker that has died takes no job.
        self.worker.restart()
        # What waits was seen before.
        self._pipeline.clear()
        return self.worker.call(job, key="reset")

    def _clear_mesh(self) -> None:
        self.mesh.clear()
        if self._page is not None:
            self._page.clear()

    def _republish(self) -> None:
        # On the worker's thread, which owns the blocks; several that join at once get one and the
        # same.
        self.worker.call(lambda _: self.mesh.publish_all(), key="publish the whole mesh")

    def _refresh_mesh(self, pipeline: Pipeline) -> InParts[None]:
        steps = pipeline.reconstructor.steps
        if steps != self._refreshed_step:
            self._refreshed_step = steps
            yield from pipeline.update_mesh_in_parts()

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page: a sink of a run that shows in a browser what comes, and asks for the rest."""

import contextlib
import io
import logging
import math
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.errors import CapacityError, MissingDependencyError
from ineus_core.evaluation import LOOKS, overview_camera
from ineus_core.geometry import as_precise
from ineus_core.types import Frame, Mesh, MeshUpdate, StepReport
from ineus_core.viewer.ask import Ask
from ineus_core.viewer.buttons import Buttons
from ineus_core.viewer.camera_views import CameraViews, keyframes_of
from ineus_core.viewer.config import ViewerConfig
from ineus_core.viewer.curves import Curves, Sample
from ineus_core.viewer.field_view import FieldView
from ineus_core.viewer.run_link import RunLink
from ineus_core.viewer.slice_views import SliceViews
from ineus_core.viewer.surface_view import SurfaceView
from ineus_core.viewer.tiles import SurfaceTiles

_LOG = logging.getLogger(__name__)
_PERIOD_S = 0.1
_SAMPLE_S = 1.0
_FRAME_S = 0.5
_MARGIN = 1.15
"""How much farther away a camera stands than it must to see all; a panel covers a side."""
DEFAULT_PORT = 8080
_WAITING = "Waiting for the first frame."
_PREPARING = (
    "The first frame is here, its mesh follows. "
    "At the first use on a machine kernels are compiled, once."
)


class LivePage:
    """Shows a run in browsers; a `Sink` that only notes what comes.

    All work is done on a thread of its own, and only while a browser is open. What the run must
    compute is asked of its thread, one question at a time.

    Args:
        link: What the run can be asked for.
        title: What is shown, in words.
        device_type: Of the reconstruction.

    Raises:
        MissingDependencyError: viser is not installed.
        CapacityError: The address cannot be bound.
    """

    def __init__(
        self,
        config: ViewerConfig,
        link: RunLink,
        title: str = "",
        device_type: str = "cpu",
    ) -> None:
        """Serve the page."""
        self._link, self._device_type = link, device_type
        self._server = _serve(config)
        self.url = f"http://{config.host}:{self._server.get_port()}"
        self._tiles = SurfaceTiles()
        self._surface = SurfaceView(self._server, self._tiles)
        self._report: StepReport | None = None
        self._rate_hz = 0.0
        self._report_s = self._begin_s = time.monotonic()
        self._mesh_s: float | None = None
        self._frame: Frame | None = None
        self._shown_frame: Frame | None = None
        self._keyframes: Ask[Any] | None = (
            None if link.call is None else Ask(link.call, "keyframes of the page")
        )
        self._views: dict[int, FieldView] = {}
        self._framed: dict[int, np.ndarray] = {}
        self._framed_triangles = 0
        self._is_cleared = self._has_ended = False
        self._up = np.array((0.0, 0.0, 1.0))
        self._due_s = {"sample": 0.0, "frame": 0.0, "frame all": 0.0}
        self._build(title)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ineus-page", daemon=True)
        self._thread.start()

    @property
    def is_watched(self) -> bool:
        """Whether a browser is open."""
        return bool(self._server.get_clients())

    def on_mesh(self, update: MeshUpdate) -> None:
        """Note the blocks that changed."""
        self._tiles.update(update)
        self._mesh_s = time.monotonic()

    def on_report(self, report: StepReport) -> None:
        """Note the progress."""
        now_s, before = time.monotonic(), self._report
        if before is not None and now_s > self._report_s:
            self._rate_hz = max(0, report.step - before.step) / (now_s - self._report_s)
        self._report, self._report_s = report, now_s

    def on_frame(self, frame: Frame) -> None:
        """Note the newest frame."""
        self._frame = frame

    def set_up(self, up: Float[np.ndarray, " 3"]) -> None:
        """Be told the direction against gravity, where it is not the z axis."""
        self._up = np.asarray(up, dtype=np.float64)
        self._server.scene.set_up_direction(tuple(self._up))

    def clear(self) -> None:
        """Show nothing until there is a new map."""
        self._tiles.clear()
        self._report, self._frame, self._mesh_s, self._rate_hz = None, None, None, 0.0
        self._is_cleared = True

    def end_training(self) -> None:
        """Show from now on what a run has left, which trains no more."""
        self._has_ended = True
        self._buttons.end_training()

    def close(self) -> None:
        """End the page."""
        self._stopping.set()
        # No longer: it dies with the process, and the end of a run must not wait for a slow tick.
        self._thread.join(timeout=0.5)
        # It says so on stdout.
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()

    def _build(self, title: str) -> None:
        server, gui = self._server, self._server.gui
        # The surface brings its own light.
        server.scene.configure_environment_map(None)
        server.scene.configure_default_lights(False)
        gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(37, 99, 235))
        # The name of a file may hold anything: it is shown as text, not as markdown.
        if title:
            gui.add_text("showing", title, disabled=True)
        self._state = gui.add_markdown(_WAITING)
        self._buttons = Buttons(server, self._link, self._show_all, self._world_mesh)
        look = gui.add_dropdown("surface", LOOKS, initial_value=LOOKS[0])
        look.on_update(lambda _: self._surface.set_look(look.value))
        folder = gui.add_folder("Cameras", order=10, visible=self._link.call is not None)
        self._cameras = CameraViews(server, folder)
        with folder:
            for what in ("path", "frusta"):
                box = gui.add_checkbox(what, True)
                box.on_update(lambda _, w=what, b=box: self._cameras.set_visible(w, b.value))
        self._slices: SliceViews | None = None
        if self._link.call is not None:
            panel = gui.add_folder("Slices of the map", order=20, expand_by_default=False)
            self._slices = SliceViews(server, panel, self._link)
        self._curves: Curves | None = None
        if self._link.set_paused is not None:
            self._curves = Curves(server, gui.add_folder("Curves", order=40))

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD_S):
            # A fault of the page must not end it, and never the run.
            try:
                self._tick()
            except Exception:
                _LOG.exception("the live page could not be brought up to date")

    def _tick(self) -> None:
        clients = self._server.get_clients()
        self._sample(time.monotonic(), is_drawn=bool(clients))
        for gone in self._views.keys() - clients.keys():
            del self._views[gone]
        if self._is_cleared:
            self._is_cleared, self._framed_triangles = False, 0
            self._cameras.clear()
            if self._slices is not None:
                self._slices.clear()
        if not clients:
            return
        self._surface.send()
        self._follow_surface(clients)
        self._show_cameras()
        version = 0 if self._report is None else self._report.step
        if self._slices is not None:
            self._slices.update(version, self._tiles.origin_m)
        for number, client in clients.items():
            self._show_field(number, client, version)

    def _show_field(self, number: int, client: Any, version: int) -> None:
        if self._link.call is None:
            return
        if number not in self._views:
            ask: Ask[Any] = Ask(self._link.call, ("view of a browser", number))
            self._views[number] = FieldView(client, ask, self._device_type)
        if self._tiles.triangles:
            self._views[number].update(version, self._tiles.origin_m)

    def _is_due(self, what: str, period_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._due_s[what]:
            return False
        self._due_s[what] = now_s + period_s
        return True

    def _sample(self, now_s: float, is_drawn: bool) -> None:
        """Add to the curves once a second, and tell the state if somebody sees it."""
        if not self._is_due("sample", _SAMPLE_S):
            return
        report, drops = self._report, sum(self._link.drops().values())
        age_s = math.nan if self._mesh_s is None else now_s - self._mesh_s
        memory_mb = 0.0 if report is None else max(report.memory_mb.values(), default=0.0)
        rate_hz = 0.0 if self._link.is_paused() else self._rate_hz
        if self._curves is not None:
            at_s = now_s - self._begin_s
            self._curves.add(Sample(at_s, rate_hz, age_s, drops, memory_mb))
        if not is_drawn:
            return
        if self._curves is not None:
            self._curves.draw()
        self._buttons.update()
        self._state.content = self._sentence(rate_hz, age_s, drops)

    def _sentence(self, rate_hz: float, age_s: float, drops: int) -> str:
        triangles = f"{self._tiles.triangles:,} triangles"
        if self._link.call is None:
            return triangles
        report = self._report
        if report is None:
            return f"{_WAITING if self._frame is None else _PREPARING} {triangles}"
        if self._has_ended:
            return f"**Done** after {report.step:,} steps  \n{triangles}"
        parts = (
            f"**{'Paused' if self._link.is_paused() else 'Training'}**, step {report.step:,}, "
            # On a CPU that is shared it may be less than one.
            f"{rate_hz:.{0 if rate_hz >= 10 else 1}f} a second",
            f"{report.keyframes} keyframes, {drops} frames dropped",
            triangles + ("" if math.isnan(age_s) else f", {age_s:.0f} s old"),
        )
        return "  \n".join(parts)

    def _show_cameras(self) -> None:
        origin_m = self._tiles.origin_m
        extent = self._tiles.extent() if self._is_due("frame all", 2.0) else None
        if extent is not None:
            self._cameras.size_m = 0.03 * float(np.linalg.norm(extent.high - extent.low))
            if self._slices is not None:
                self._slices.set_extent(extent, origin_m)
        frame = self._frame
        if (
            frame is not None
            and frame is not self._shown_frame
            and self._is_due("frame", _FRAME_S)
        ):
            self._shown_frame = frame
            self._cameras.show_frame(frame, origin_m)
        report = self._report
        if self._keyframes is None or report is None or not report.keyframes:
            return
        found = self._keyframes.poll(
            "keyframes", (report.keyframes, report.stamp_ns), keyframes_of
        )
        if found is not None:
            poses, camera = found
            self._cameras.show_keyframes(list(poses.values()), camera, origin_m)

    def _follow_surface(self, clients: dict[int, Any]) -> None:
        """Move cameras that nobody has moved, so that they show all of the surface."""
        triangles = self._tiles.triangles
        # By a third, since a view that follows each update would never stand still.
        has_grown = triangles > 1.3 * self._framed_triangles
        for number, client in clients.items():
            framed = self._framed.get(number)
            if not triangles or not (framed is None or has_grown):
                continue
            # What comes back from a browser is rounded.
            if framed is None or np.allclose(framed, client.camera.position, atol=1e-3):
                self._show_all(client)
        if has_grown:
            self._framed_triangles = triangles

    def _world_mesh(self) -> Mesh:
        """Return the surface as it is shown, in the world."""
        mesh, origin_m = self._tiles.mesh(), np.array(self._tiles.origin_m)
        return replace(mesh, vertices=as_precise(mesh.vertices + origin_m))

    def _show_all(self, client: Any) -> None:
        extent = self._tiles.extent()
        if extent is None:
            return
        camera = client.camera
        aspect = max(0.2, camera.aspect)
        box = _corners(extent.low, extent.high)
        pose, view = overview_camera(box, round(600 * aspect), 600, self._up)
        # A browser's camera sees as much in height; what it sees in width follows.
        back = _MARGIN * math.tan(0.5 * 2 * math.atan(300 / view.fy)) / math.tan(0.5 * camera.fov)
        centre = 0.5 * (extent.low + extent.high)
        position = centre + (pose[:3, 3] - centre) * back
        with client.atomic():
            camera.up_direction = tuple(self._up)
            camera.position = tuple(position)
            camera.look_at = tuple(centre)
        self._framed[client.client_id] = np.asarray(position)


def _corners(low: np.ndarray, high: np.ndarray) -> Mesh:
    """Return the corners of a box as the vertices of a mesh without triangles."""
    ends = np.stack((low, high))
    corners = [ends[(i & 1, i >> 1 & 1, i >> 2), (0, 1, 2)] for i in range(8)]
    vertices = np.array(corners, dtype=np.float32)
    nothing = np.zeros((0, 3), np.int32)
    return Mesh(vertices, nothing, np.zeros_like(vertices), np.zeros(vertices.shape, np.uint8))


def _serve(config: ViewerConfig) -> Any:
    try:
        import viser
    except ModuleNotFoundError as error:
        raise MissingDependencyError("viser", extra="view") from error
    port = config.port or DEFAULT_PORT
    _check_address(config)
    # It would print an address in a frame of its own, and says nothing else there.
    with contextlib.redirect_stdout(io.StringIO()):
        return viser.ViserServer(host=config.host, port=port, label="ineus", verbose=False)


def _check_address(config: ViewerConfig) -> None:
    """Raise `CapacityError` if the address is no one to bind to: viser would try for ever.

    A port that was not asked for may be taken; then the next one is.
    """
    try:
        with socket.create_server((config.host, config.port)):
            pass
    except OSError as error:
        raise CapacityError(
            f"the live page cannot be bound to {config.host}:{config.port or DEFAULT_PORT}: "
            f"{error.strerror or error}; viewer.host and viewer.port name another address"
        ) from error

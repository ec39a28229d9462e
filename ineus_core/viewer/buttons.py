# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The buttons of a page; each says what came of it."""

import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ineus_core.meshing import weld, write_mesh
from ineus_core.types import Mesh, MeshBlock
from ineus_core.viewer.run_link import RunLink

_LOG = logging.getLogger(__name__)
RENDER_TIMEOUT_S = 60.0


class Buttons:
    """Pause, reset and save, as far as the run has them; screenshot, download, view of everything.

    Args:
        server: The viser server.
        link: What the run can be asked for.
        show_all: Moves a browser's camera.
        mesh: Returns the surface as it is shown.
    """

    def __init__(
        self,
        server: Any,
        link: RunLink,
        show_all: Callable[[Any], None],
        mesh: Callable[[], Mesh],
    ) -> None:
        """Add the buttons."""
        self._link, self._mesh = link, mesh
        of_run: dict[str, Callable[[Any], None]] = {}
        if link.set_paused is not None:
            of_run["Pause"] = of_run["Go on"] = self._on_pause
        if link.save is not None:
            of_run["Save"] = self._on_save
        if link.reset is not None:
            of_run["Reset"] = self._on_reset
        of_page = {"Show all": show_all, "Screenshot": _screenshot, "Download": self._on_download}
        self._of_run = self._row(server, "run", of_run, hidden="Go on") if of_run else None
        self._row(server, "view", of_page)

    def update(self) -> None:
        """Name the pause by what it would do now."""
        if self._of_run is None:
            return
        old, new = ("Pause", "Go on") if self._link.is_paused() else ("Go on", "Pause")
        if old in self._of_run.options:
            self._of_run.options = tuple(new if o == old else o for o in self._of_run.options)

    def end_training(self) -> None:
        """Take away what only a run has that still trains."""
        if self._of_run is not None:
            self._of_run.visible = False

    def _row(
        self,
        server: Any,
        label: str,
        actions: dict[str, Callable[[Any], None]],
        hidden: str = "",
    ) -> Any:
        names = [name for name in actions if name != hidden]
        group = server.gui.add_button_group(label, names)
        group.on_click(lambda event: actions[event.target.value](event.client))
        return group

    def _on_pause(self, client: Any) -> None:
        assert self._link.set_paused is not None
        self._link.set_paused(not self._link.is_paused())
        self.update()

    def _on_reset(self, client: Any) -> None:
        # Who presses it by mistake would have lost the map.
        with client.gui.add_modal("Forget the map?") as modal:
            client.gui.add_markdown("It is then built anew, from the frames that come.")
            confirm = client.gui.add_button("Forget it", color="red")
            cancel = client.gui.add_button("Keep it")
        cancel.on_click(lambda _: modal.close())

        @confirm.on_click
        def _(_: Any) -> None:
            modal.close()
            assert self._link.reset is not None
            self._link.reset()
            _tell(client, "Reset", "The map begins anew.")

    def _on_save(self, client: Any) -> None:
        assert self._link.save is not None

        def say(done: Any) -> None:
            error = done.exception()
            if error is None:
                _tell(client, "Saved", str(done.result()))
            else:
                _tell(client, "Not saved", str(error))

        self._link.save().add_done_callback(say)

    def _on_download(self, client: Any) -> None:
        _in_background(client, "mesh.ply", lambda: _ply_of(self._mesh()))


def _screenshot(client: Any) -> None:
    height_px, width_px = client.camera.image_height, client.camera.image_width

    def picture() -> bytes:
        seen = client.get_render(
            height_px, width_px, transport_format="jpeg", timeout=RENDER_TIMEOUT_S
        )
        # OpenCV takes blue first; what viser sends may have an alpha behind red, green and blue.
        _, png = cv2.imencode(".png", np.ascontiguousarray(seen[..., 2::-1]))
        return png.tobytes()

    _in_background(client, "ineus.png", picture)


def _in_background(client: Any, name: str, make: Callable[[], bytes]) -> None:
    """Send a file that takes a while to make, of which the browser may not see the end."""

    def work() -> None:
        try:
            client.send_file_download(name, make(), save_immediately=True)
        # viser has several kinds of errors for a browser that is gone.
        except Exception as error:
            _LOG.info("%s was not sent to a browser: %s", name, error)

    threading.Thread(target=work, name="ineus-page-file", daemon=True).start()


def _ply_of(mesh: Mesh) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = write_mesh(weld([MeshBlock((0, 0, 0), mesh)]), Path(folder) / "mesh.ply")
        return path.read_bytes()


def _tell(client: Any, title: str, text: str) -> None:
    client.add_notification(title, text, auto_close_seconds=6.0)

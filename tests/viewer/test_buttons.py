# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Buttons of the page, pressed without a browser: what each sends, tells and asks of the run."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Queue
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh

from ineus_core.types import Mesh
from ineus_core.viewer.buttons import Buttons
from ineus_core.viewer.run_link import RunLink

HUNG_S = 60.0
"""Longer than anything takes on a busy machine."""
VERTICES = np.array(((0, 0, 0), (1, 0, 0), (0, 2, 0)), np.float32)
MESH = Mesh(
    VERTICES,
    np.array(((0, 1, 2),), np.int32),
    np.zeros_like(VERTICES),
    np.full((3, 3), 100, np.uint8),
)


class Group:
    """A row of buttons."""

    def __init__(self, options: list[str]) -> None:
        self.options: tuple[str, ...] = tuple(options)
        self.press: Callable[[Any], None]

    def on_click(self, function: Callable[[Any], None]) -> None:
        self.press = function


class Client:
    """A browser that notes what it is sent and told."""

    def __init__(self) -> None:
        self.camera = SimpleNamespace(image_height=2, image_width=3)
        self.files: Queue[tuple[str, bytes]] = Queue()
        self.told: list[tuple[str, str]] = []

    def get_render(self, height: int, width: int, **_: Any) -> np.ndarray:
        return np.full((height, width, 3), (200, 100, 50), np.uint8)

    def send_file_download(self, name: str, content: bytes, **_: Any) -> None:
        self.files.put((name, content))

    def add_notification(self, title: str, text: str, **_: Any) -> None:
        self.told.append((title, text))


class Page:
    """The buttons of a run and of its page."""

    def __init__(self, link: RunLink) -> None:
        self.client, self.groups = Client(), list[Group]()
        server = SimpleNamespace(gui=SimpleNamespace(add_button_group=self.add))
        self.buttons = Buttons(server, link, lambda _: None, lambda: MESH)

    def add(self, _: str, options: list[str]) -> Group:
        self.groups.append(Group(options))
        return self.groups[-1]

    def press(self, name: str) -> None:
        group = next(group for group in self.groups if name in group.options)
        group.press(SimpleNamespace(target=SimpleNamespace(value=name), client=self.client))


def test_a_screenshot_is_the_picture_that_the_browser_has_drawn() -> None:
    page = Page(RunLink())
    page.press("Screenshot")
    name, content = page.client.files.get(timeout=HUNG_S)
    assert name == "ineus.png"
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    # OpenCV reads blue first.
    np.testing.assert_array_equal(picture, np.full((2, 3, 3), (50, 100, 200)))


def test_a_download_is_the_surface_as_another_program_reads_it() -> None:
    page = Page(RunLink())
    page.press("Download")
    name, content = page.client.files.get(timeout=HUNG_S)
    assert name == "mesh.ply"
    mesh = trimesh.load_mesh(trimesh.util.wrap_as_stream(content), file_type="ply")
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], VERTICES[MESH.triangles])


def test_the_pause_is_named_by_what_it_would_do() -> None:
    asked: list[bool] = []
    link = RunLink(set_paused=asked.append, is_paused=lambda: bool(asked) and asked[-1])
    page = Page(link)
    page.press("Pause")
    assert page.groups[0].options == ("Go on",)
    page.press("Go on")
    assert page.groups[0].options == ("Pause",)
    assert asked == [True, False]


@pytest.mark.parametrize("fails", [False, True])
def test_saving_tells_where_or_why_not(fails: bool) -> None:
    saving: Future[str] = Future()
    page = Page(RunLink(save=lambda: saving))
    page.press("Save")
    assert page.client.told == []
    saving.set_exception(OSError("disk full")) if fails else saving.set_result("out/saved")
    assert page.client.told == [("Not saved", "disk full") if fails else ("Saved", "out/saved")]


def test_a_page_of_a_mesh_has_no_buttons_of_a_run() -> None:
    assert [group.options for group in Page(RunLink()).groups] == [
        ("Show all", "Screenshot", "Download")
    ]

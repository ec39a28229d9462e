# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page in a real browser, while a reconstruction goes on."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import pytest
from browser import TIMEOUT_S, Browser, browser
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.pipeline import Pipeline, PipelineConfig, Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.viewer import LivePage, RunLink, ViewerConfig, buttons

pytest.importorskip("viser", reason="needs viser: pip install 'ineus_ros[view]'")

pytestmark = pytest.mark.slow


class Run:
    """A worker with a page; a test hands it frame after frame.

    Args:
        folder: Where the page saves.
    """

    def __init__(self, folder: Path) -> None:
        self.frames = list(room_source(frames=8))
        self.saved = folder / "checkpoint"
        config = PipelineConfig(mesh_rate_hz=5.0, report_rate_hz=10.0, steps_per_tick=1)
        reconstructor = Reconstructor(tiny_config(), CPU)
        link = RunLink(
            lambda function, key: self.worker.call(lambda p: function(p.reconstructor), key),
            lambda paused: (self.worker.pause if paused else self.worker.resume)(),
            lambda: self.worker.paused,
            save=self.save,
        )
        self.page = LivePage(ViewerConfig(), link, "<b>a name</b>")
        self.pipeline = Pipeline(reconstructor, self.page, config, is_live=True)
        self.worker = Worker(self.pipeline, time.monotonic_ns, max_idle_steps=200)
        self.worker.start()

    def show(self, indices: range) -> None:
        """Hand over frames, train some steps, and have everything meshed."""
        for frame in (self.frames[index] for index in indices):
            self.worker.submit(frame)
            self.page.on_frame(frame)

        def train(pipeline: Pipeline) -> None:
            while pipeline.waiting:
                pipeline.take_frame()
            for _ in range(100):
                pipeline.reconstructor.step()
            pipeline.update_mesh(everything=True)

        self.worker.call(train).result()

    def save(self) -> "Future[Any]":
        return self.worker.call(lambda p: p.reconstructor.save(self.saved))

    def close(self) -> None:
        self.worker.stop()
        self.page.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.close()


@pytest.fixture
def page(run: Run, tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path) as opened:
        opened.open(run.page.url)
        yield opened


def triangles(page: Browser) -> int:
    found = re.search(r"([\d,]+) triangles", page.text())
    return int(found[1].replace(",", "")) if found else 0


def coloured_pixels(page: Browser) -> int:
    """Count pixels of the scene, left of the panel, that are not of the white behind it."""
    scene = page.picture()[:, :640].astype(int)
    return int((scene.max(axis=-1) - scene.min(axis=-1) > 12).sum())


def test_the_surface_grows_and_buttons_work(
    run: Run, page: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A browser that draws without a GPU on a busy machine may take longer than a user would wait.
    monkeypatch.setattr(buttons, "RENDER_TIMEOUT_S", TIMEOUT_S)
    page.wait_for(lambda: "Waiting for the first frame" in page.text(), "the page")
    # A name is text, whatever it holds.
    assert page.run("return document.querySelector('b')?.innerText !== 'a name'")
    run.page.on_frame(run.frames[0])
    page.wait_for(lambda: "kernels are compiled" in page.text(), "why there is no mesh yet")
    run.show(range(1))
    page.wait_for(lambda: triangles(page) > 100, "a mesh")
    page.wait_for(lambda: coloured_pixels(page) > 2000, "the mesh in the scene")
    first_triangles = triangles(page)
    run.show(range(1, 8))
    page.wait_for(lambda: triangles(page) > 1.5 * first_triangles, "a larger mesh")

    page.click("Pause")
    page.wait_for(lambda: "Paused" in page.text(), "the pause")
    ticks = run.worker.ticks
    # What is asked for while it rests is answered: the field as this browser sees it.
    page.click("The map from here")
    page.wait_for(lambda: "Depth from" in page.text(), "the rendered field")
    assert run.worker.ticks <= ticks + 1
    page.click("Save")
    page.wait_for((run.saved / "state.json").is_file, "the checkpoint")
    page.click("Screenshot")
    file = page.wait_for(lambda: next(page.downloads.glob("*.png"), None), "the screenshot")
    page.wait_for(lambda: cv2.imread(str(file)) is not None, "the whole of it")
    assert cv2.imread(str(file)).std() > 5
    page.click("Go on")
    page.wait_for(lambda: "Training" in page.text(), "the training")
    assert page.errors() == []
    assert page.foreign_requests() == []

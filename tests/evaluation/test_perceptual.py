# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""LPIPS: 0 for equal images and more for others where it is installed, absent where it is not."""

import numpy as np
import pytest
import torch
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.evaluation import lpips, perceptual
from ineus_core.pipeline.held_out import compare_view, mean_figures
from ineus_core.reconstruction import Reconstructor


def test_equal_images_are_at_no_distance() -> None:
    if perceptual._network() is None:
        pytest.skip("lpips or the weights of AlexNet are not installed")
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    blurred = (image // 2 + np.roll(image, 1, axis=1) // 2).astype(np.uint8)
    assert lpips(image, image) == pytest.approx(0.0, abs=1e-6)
    distance = lpips(blurred, image)
    assert distance is not None and distance > 0.01


def test_without_the_package_there_is_no_figure_and_no_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    perceptual._network.cache_clear()
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    try:
        assert lpips(image, image) is None
    finally:
        perceptual._network.cache_clear()


def test_without_the_weights_of_the_backbone_there_is_none_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    perceptual._network.cache_clear()
    monkeypatch.setattr(perceptual, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    try:
        # Were it to go on, the import of a package that is not there would fail.
        assert lpips(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)) is None
    finally:
        perceptual._network.cache_clear()


def test_views_have_the_figure_only_where_it_is_installed() -> None:
    reconstructor = Reconstructor(tiny_config(), CPU)
    frames = list(room_source(2))
    for frame in frames:
        reconstructor.add_frame(frame)
    view = compare_view(reconstructor, frames[0], 80)
    is_installed = perceptual._network() is not None
    assert ("lpips" in view.figures) == ("lpips" in mean_figures([view])) == is_installed
    assert {"psnr", "ssim", "depth_l1_m"} <= set(mean_figures([view]))


def test_a_picture_of_which_the_network_makes_nothing_has_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first two layers of AlexNet, each with its pooling."""
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 1, 11, stride=4, padding=2),
        torch.nn.MaxPool2d(3, 2),
        torch.nn.Conv2d(1, 1, 5, padding=2),
        torch.nn.MaxPool2d(3, 2),
    )
    monkeypatch.setattr(perceptual, "_network", lambda: lambda a, b: layers(a - b).mean())
    image = np.zeros((31, 64, 3), dtype=np.uint8)
    assert isinstance(lpips(image, image), float)
    assert lpips(image[:30], image[:30]) is None
    with pytest.raises(RuntimeError, match="too small"):
        layers(torch.zeros(1, 3, 30, 64))

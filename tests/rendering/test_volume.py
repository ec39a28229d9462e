# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Who composites: the choice, the errors, and agreement with plain torch."""

import logging
import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels.compositing import nerfacc as adapter
from ineus_core.rendering import RenderingConfig, renderer, resolved_rendering
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

CPU = torch.device("cpu")


def chosen(backend: str, device: torch.device = CPU) -> str:
    return resolved_rendering(RenderingConfig(backend=backend), device)  # type: ignore[arg-type]


def test_auto_is_resolved_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="ineus_core"):
        assert chosen("auto") == "torch"
    assert "rendering.backend auto: torch" in caplog.text
    assert chosen("torch") == "torch"


@pytest.mark.parametrize("package", ["nerfacc", "triton"])
def test_a_missing_package_is_said(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("ineus_core.kernels.dispatch.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=rf"{package} is not installed.*pip install"):
        chosen(package)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nerfacc", ModuleType("nerfacc"))
    monkeypatch.setattr(adapter, "version", lambda _: "0.3.5")
    with pytest.raises(ConfigError, match=r"found nerfacc 0\.3\.5, expected 0\.5\.x"):
        chosen("nerfacc")


def test_a_nerfacc_that_cannot_be_compiled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    documented_nerfacc(monkeypatch)
    sys.modules["nerfacc.cuda._backend"]._C = None  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="CUDA functions could not be compiled; expected nvcc"):
        chosen("nerfacc")


def test_a_gpu_backend_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    documented_nerfacc(monkeypatch)
    with pytest.raises(ConfigError, match=r"rendering\.backend nerfacc needs a CUDA device"):
        chosen("nerfacc")


def documented_nerfacc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install what nerfacc 0.5 documents of the two functions that are used, sample by sample."""

    def render_weight_from_alpha(
        alphas: Tensor, *, ray_indices: Tensor, n_rays: int
    ) -> tuple[Tensor, Tensor]:
        assert bool((ray_indices.diff() >= 0).all()), "expected sorted by ray"
        clear, left, last = [], torch.ones(()), -1
        for alpha, ray in zip(alphas, ray_indices.tolist(), strict=True):
            left = torch.ones(()) if ray != last else left
            clear.append(left)
            left, last = left * (1 - alpha), ray
        transmittance = torch.stack(clear)
        return transmittance * alphas, transmittance

    def accumulate_along_rays(
        weights: Tensor, values: Tensor, ray_indices: Tensor, n_rays: int
    ) -> Tensor:
        total = torch.zeros(n_rays, values.shape[1])
        return total.index_add(0, ray_indices, weights[:, None] * values)

    module = ModuleType("nerfacc")
    module.render_weight_from_alpha = render_weight_from_alpha  # type: ignore[attr-defined]
    module.accumulate_along_rays = accumulate_along_rays  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nerfacc", module)
    monkeypatch.setattr(adapter, "version", lambda _: "0.5.3")
    compiled = ModuleType("nerfacc.cuda._backend")
    compiled._C = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nerfacc.cuda", ModuleType("nerfacc.cuda"))
    monkeypatch.setitem(sys.modules, "nerfacc.cuda._backend", compiled)


def scene(device: torch.device) -> tuple[Tensor, RaySamples, list[Tensor]]:
    """Three rays of 4, 0 and 3 samples, and two of padding."""
    rays, count = torch.tensor([0, 0, 0, 0, 2, 2, 2, 0, 0]), torch.tensor([4, 0, 3])
    t_starts = torch.tensor([0.5, 0.6, 0.7, 0.8, 1.0, 1.1, 1.2, 0.0, 0.0])
    valid = torch.tensor([True] * 7 + [False] * 2)
    samples = RaySamples(
        *(t_starts, t_starts + 0.1 * valid, rays, valid, torch.tensor([0, 4, 4]), count)
    )
    directions = normalize(torch.randn(3, 3), dim=1)
    leaves = [0.1 * torch.randn(9), torch.randn(9, 3), torch.rand(9, 3), torch.tensor(20.0)]
    samples = RaySamples(*(tensor.to(device) for tensor in vars(samples).values()))
    return directions.to(device), samples, [leaf.to(device).requires_grad_() for leaf in leaves]


def outcome(backend: str, device: torch.device) -> list[Tensor]:
    """Return what is rendered, and gradients of a loss on it."""
    torch.manual_seed(3)
    directions, samples, leaves = scene(device)
    one = torch.ones((), device=device)
    output = FieldOutput(*leaves[:3])
    rendered: RenderedRays = renderer(backend)(directions, samples, output, leaves[3], one)
    parts = [rendered.rgb, rendered.range_m, rendered.normal, rendered.opacity]
    squares = [(part.square() * (i + 1)).sum() for i, part in enumerate(parts)]
    torch.stack(squares).sum().backward()
    return [part.detach() for part in parts] + [leaf.grad for leaf in leaves]


def assert_same(backend: str, device: torch.device) -> None:
    for ours, theirs in zip(outcome("torch", device), outcome(backend, device), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-4)


def test_nerfacc_as_documented_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    documented_nerfacc(monkeypatch)
    assert_same("nerfacc", CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["triton", "nerfacc"])
def test_backends_of_a_gpu_give_the_same(backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    assert_same(backend, torch.device("cuda"))

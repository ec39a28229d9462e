# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A loss of one's own: a key of the configuration, a line of the report, a change of the field."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ineus_core.errors import ConfigError
from ineus_core.training import Loss, register_loss

# In a process of its own, as the table of losses is one for a process.
_WORKER = """
import json, sys
import torch
from tiny_scene import room_source, tiny_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.training import Loss, LossInputs, register_loss

def shallow(x: LossInputs) -> torch.Tensor:
    return x.output.sdf.abs().mean()

register_loss(Loss("shallow", 0.0, "Mean distance of the samples in m.", shallow))

def trained(**training: object):
    settings = {"rays_per_step": 256, "samples_per_step": 4096, **training}
    torch.manual_seed(0)
    reconstructor = Reconstructor(tiny_config(training=settings), torch.device(sys.argv[1]))
    for frame in room_source(4):
        reconstructor.add_frame(frame)
    for _ in range(30):
        reconstructor.step()
    losses = reconstructor.report().losses
    points = torch.rand((500, 3), generator=torch.Generator().manual_seed(0)) - 0.5
    sdf = reconstructor.reconstruction.field.sdf(points.to(sys.argv[1]))
    step = type(reconstructor.reconstruction.train_step).__name__
    return {"step": step, "losses": losses, "mean": float(sdf.abs().mean())}

print(json.dumps({
    "without": trained(),
    "with": trained(weights={"shallow": 100.0}),
    "later": trained(ramps={"shallow": (0, 0.0, 100.0, 10)}),
}))
"""


def results_on(device: str) -> dict[str, Any]:
    """Return what the worker found with and without its loss."""
    support = Path(__file__).parents[1] / "support"
    program = f"import sys; sys.path.insert(0, {str(support)!r})\n{_WORKER}"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program, device],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def assert_trained(found: dict[str, Any]) -> None:
    for name in ("with", "later"):
        assert found[name]["step"] == "EagerStep"
        assert found[name]["mean"] < 0.7 * found["without"]["mean"]
        assert found[name]["losses"]["shallow"] > 0
    assert found["without"]["losses"]["shallow"] == 0


def test_a_loss_of_ones_own_changes_the_field() -> None:
    assert_trained(results_on("cpu"))


@pytest.mark.gpu
def test_on_a_gpu_it_selects_the_step_that_trains_it() -> None:
    found = results_on("cuda")
    assert found["without"]["step"] == "CapturedStep"
    assert_trained(found)


@pytest.mark.parametrize("name", ["photometric", "total", "two words", "model_dump"])
def test_a_name_that_is_taken_or_makes_no_key_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        register_loss(Loss(name, 1.0, "Never.", lambda x: x.zero))

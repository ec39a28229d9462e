# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded work is done once a call, whatever it is; a recorded step trains as one that is not."""

import logging

import pytest
import torch
from tiny_scene import room_source, tiny_config

from ineus_core.reconstruction import Reconstructor

pytestmark = pytest.mark.gpu
CALLS = 8


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator("cuda").manual_seed(3)


def test_work_is_done_once_a_call(
    generator: torch.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    from ineus_core.training.captured.recording import Recording

    total, scale = torch.zeros((), device="cuda"), torch.ones((), device="cuda")
    key = [0]

    def work() -> None:
        total.add_(scale * 2)

    call = Recording(work, lambda: tuple(key), lambda: None, generator)
    with caplog.at_level(logging.INFO, logger="ineus_core"):
        for _ in range(CALLS):
            call()
        assert caplog.text.count("recorded") == 1
        scale.fill_(10.0)
        call()
        key[0] = 1
        for _ in range(CALLS):
            call()
    assert caplog.text.count("recorded") == 2
    assert float(total) == 2 * CALLS + 20 + 20 * CALLS


def test_work_that_waits_is_done_as_it_is(
    generator: torch.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    from ineus_core.training.captured.recording import Recording

    half, total, cleaned = torch.zeros((), device="cuda"), torch.zeros((), device="cuda"), [0]

    def work() -> None:
        half.add_(1)
        if float(half) > 0:
            total.add_(half)
        half.zero_()

    def clean_up() -> None:
        cleaned[0] += 1
        half.zero_()

    call = Recording(work, lambda: (), clean_up, generator)
    with caplog.at_level(logging.INFO, logger="ineus_core"):
        for _ in range(CALLS):
            call()
    assert "is not recorded, as it waits for the device" in caplog.text
    assert float(total) == CALLS
    assert cleaned == [1]


def test_an_error_of_the_work_is_the_caller_s(generator: torch.Generator) -> None:
    from ineus_core.training.captured.recording import Recording

    def work() -> None:
        raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        Recording(work, lambda: (), lambda: None, generator)()


@pytest.mark.parametrize("depth", [True, False])
def test_a_recorded_step_trains_as_one_that_is_not(
    depth: bool, caplog: pytest.LogCaptureFixture
) -> None:
    found = {}
    frames, weights = list(room_source(depth=depth)), {"distortion": 0.01}
    for is_recorded in (False, True):
        training = {"weights": weights, "background": "random", "record_autograd": is_recorded}
        config = tiny_config(training=training)
        made = Reconstructor(config, torch.device("cuda"))
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="ineus_core"):
            for frame in frames:
                made.add_frame(frame)
            made.start()
            for _ in range(40):
                made.step()
        assert ("by autograd recorded" in caplog.text) is is_recorded
        assert made.steps == 40
        found[is_recorded] = made.report().losses
    for name, value in found[False].items():
        assert found[True][name] == pytest.approx(value, rel=0.2, abs=0.02), name


@pytest.mark.parametrize("option", ["none", "finite differences"])
def test_a_map_that_is_over_gives_its_memory_back(option: str) -> None:
    settings = {"gradient": "finite_difference"} if option == "finite differences" else {}
    config = tiny_config()
    field = config.field.model_copy(update=settings)
    made = Reconstructor(config.model_copy(update={"field": field}), torch.device("cuda"))
    held = []
    for _ in range(3):
        for frame in room_source():
            made.add_frame(frame)
        for _ in range(CALLS):
            made.step()
        made.reset()
        held.append(torch.cuda.memory_allocated())
    # What is made once, as tables and streams of kernels, is there after the first.
    assert held[2] <= held[1] + 1_000_000, held

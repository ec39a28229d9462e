# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes train one field: the same parameters, mean gradients, one writer, no hanging.

The processes are real and meet on localhost.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.errors import ConfigError
from ineus_core.reconstruction import Reconstructor
from ineus_core.training import Ranks, device_of, process_group, ranks_of

WORKER = """
import sys
import torch
from safetensors.torch import save_file
from tiny_scene import CPU, room_source, tiny_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.training import process_group, ranks_of
import os

torch.set_num_threads(1)
ranks = ranks_of(os.environ)
with process_group(ranks, CPU):
    reconstructor = Reconstructor(tiny_config(), CPU, ranks)
    for frame in room_source(4):
        reconstructor.add_frame(frame)
    for number in range(int(sys.argv[2])):
        reconstructor.step()
        if number == 0:
            print("ready", flush=True)
    made = reconstructor.reconstruction
    state = {k: v.detach().clone() for k, v in made.field.state_dict().items()}
    state["occupied"] = made.grid.occupied
    save_file(state, f"{sys.argv[1]}/{ranks.rank}.safetensors")
"""
ONE_OF_TWO = {
    "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29511",
}  # fmt: skip


HUNG_S = 600.0
"""Longer than anything takes on a busy machine."""


def start(count: int, arguments: list[str]) -> list[subprocess.Popen[str]]:
    """As many processes as asked for, with what torchrun would tell each of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={
                **os.environ, **ONE_OF_TWO, "RANK": str(rank), "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(count), "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip


def finish(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit codes and what was printed; none may hang."""
    try:
        said = ["".join(process.communicate(timeout=HUNG_S)) for process in processes]
        return [(p.returncode, text) for p, text in zip(processes, said, strict=True)]
    finally:
        for process in processes:
            process.kill()


def test_two_processes_agree_on_every_bit_and_follow_the_mean_of_their_gradients(
    tmp_path: Path,
) -> None:
    steps = 3
    results = finish(start(2, ["-c", WORKER, str(tmp_path), str(steps)]))
    assert [code for code, _ in results] == [0, 0], results
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    for name, values in first.items():
        assert torch.equal(values, second[name]), name
    expected = mean_gradient_training(steps)
    for name, values in expected.items():
        torch.testing.assert_close(first[name], values, rtol=0, atol=2e-5, msg=name)
    moved = (first["w1"] - parameters_at_start()["w1"]).abs().max()
    assert moved > 1e-3


def mean_gradient_training(steps: int) -> dict[str, torch.Tensor]:
    """Two fields in this process that take steps by the mean of their gradients."""
    twins = []
    for rank in range(2):
        reconstructor = Reconstructor(tiny_config(), CPU, Ranks(rank, 2, rank))
        for frame in room_source(4):
            reconstructor.add_frame(frame)
        twins.append(reconstructor)
    for _ in range(steps):
        for twin in twins:
            step: Any = twin.reconstruction.train_step
            step._scalars.write(step.steps, step._record.begin_step())
            step._rays.draw()
            terms = step._loss(step._rays.sample())
            terms.total(step._config.weights.stacked(CPU)).backward()
        for pair in zip(*(twin.reconstruction.field.parameters() for twin in twins), strict=True):
            mean = 0.5 * (pair[0].grad + pair[1].grad)
            for parameter in pair:
                parameter.grad = mean.clone()
        for twin in twins:
            step = twin.reconstruction.train_step
            step._optimiser.step(step.steps)
            step.resume_at(step.steps + 1)
    return {name: p.detach() for name, p in twins[0].reconstruction.field.named_parameters()}


def parameters_at_start() -> dict[str, torch.Tensor]:
    reconstructor = Reconstructor(tiny_config(), CPU)
    for frame in room_source(4):
        reconstructor.add_frame(frame)
    return {name: p.detach() for name, p in reconstructor.reconstruction.field.named_parameters()}


def test_processes_draw_different_rays_and_renew_the_same_cells() -> None:
    drawn, cells = [], []
    for rank in range(2):
        reconstructor = Reconstructor(tiny_config(), CPU, Ranks(rank, 2, rank))
        for frame in room_source(2):
            reconstructor.add_frame(frame)
        drawn.append(reconstructor.reconstruction.replay.draw(16).directions)
        cells.append(torch.rand(4, generator=reconstructor.reconstruction.grid_generator))
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(cells[0], cells[1])


def test_a_process_that_dies_ends_the_run_of_the_others() -> None:
    processes = start(2, ["-c", WORKER, "/nowhere", "1000000"])
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        processes[1].send_signal(signal.SIGKILL)
        code, message = processes[0].wait(HUNG_S), processes[0].communicate()[1]
    finally:
        for process in processes:
            process.kill()
    assert code == 1
    assert "process 0 of 2: another process of this run has ended" in message


def test_one_process_writes_and_the_others_train(tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = [
        "source.synthetic.frames=3", "source.synthetic.width_px=40",
        "source.synthetic.height_px=30", "meshing.voxel_size_m=0.1", "training.rays_per_step=64",
        "field.levels=4", "field.log2_entries=12",
    ]  # fmt: skip
    words = [word for setting in small for word in ("--set", setting)]
    command = ["-m", "ineus_core.cli", "run", "synthetic:room", "--device", "cpu", *words]
    processes = start(2, [*command, "--steps", "60", "--out", str(out)])
    (first, said), (second, silent) = finish(processes)
    assert (first, second) == (0, 0), said + silent
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint", "mesh.ply", "renders", "report.html", "report.json", "trajectory.tum",
    ]  # fmt: skip
    # The table of what came out.
    assert "synthetic" in said and "report.html" in said
    assert "synthetic" not in silent and "report.html" not in silent


def test_an_error_is_a_sentence_of_each_process(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    results = finish(start(2, ["-m", "ineus_core.cli", "run", "/no/such", "--out", out]))
    for code, message in results:
        assert code == 1
        assert "Traceback" not in message
        assert "/no/such" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"WORLD_SIZE": None}, ("RANK=1", "without WORLD_SIZE")),
        ({"MASTER_ADDR": None, "LOCAL_RANK": ""}, ("without LOCAL_RANK, MASTER_ADDR",)),
        ({"RANK": "2"}, ("RANK=2", "less than WORLD_SIZE=2")),
        ({"RANK": "one"}, ("RANK=one", "whole number")),
        ({"MASTER_PORT": "-1"}, ("MASTER_PORT=-1", "whole number")),
    ],
)
def test_what_no_launcher_would_say(changes: dict[str, str | None], words: tuple[str]) -> None:
    environment = {k: v for k, v in {**ONE_OF_TWO, **changes}.items() if v is not None}
    with pytest.raises(ConfigError) as error:
        ranks_of(environment)
    for word in words:
        assert word in str(error.value)


def test_alone_there_are_no_ranks() -> None:
    assert ranks_of({}) is None
    assert ranks_of({"LOCAL_RANK": "0", "MASTER_ADDR": "somewhere"}) is None
    assert ranks_of({**ONE_OF_TWO, "RANK": "0", "WORLD_SIZE": "1"}) is None
    assert ranks_of(ONE_OF_TWO) == Ranks(1, 2, 1)


def test_each_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of(Ranks(1, 2, 1), CPU) == CPU
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="process 1 of this machine has no GPU of its own"):
        device_of(Ranks(1, 2, 1), torch.device("cuda"))
    with pytest.raises(ConfigError, match="device cuda:1 for 2 processes"):
        device_of(Ranks(1, 2, 1), torch.device("cuda:1"))


@pytest.mark.gpu
def test_a_captured_step_averages_between_two_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one through NCCL: the mean is the gradient itself, the graphs are two."""
    gpu = torch.device("cuda")
    for name, value in {**ONE_OF_TWO, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    fields = []
    alone = Ranks(0, 1, 0)
    with process_group(alone, gpu):
        for ranks in (None, alone):
            reconstructor = Reconstructor(tiny_config(), gpu, ranks)
            for frame in room_source(4):
                reconstructor.add_frame(frame)
            for _ in range(3):
                reconstructor.step()
            captured: Any = reconstructor.reconstruction.train_step
            assert len(captured._graphs) == (1 if ranks is None else 2)
            fields.append(reconstructor.reconstruction.field.w2.detach().clone())
    # Sums over threads differ in their last bits, which the first steps of Adam let grow.
    assert float((fields[0] - fields[1]).norm() / fields[0].norm()) < 1e-3

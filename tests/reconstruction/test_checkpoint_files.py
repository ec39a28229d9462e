# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: round trip, what is broken is refused, a full disk leaves the old one."""

import errno
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from ineus_core.errors import CapacityError, CheckpointError
from ineus_core.reconstruction import checkpoint_files as checkpoint
from ineus_core.reconstruction.checkpoint_files import read_checkpoint, write_checkpoint

TENSORS = {
    "table": torch.arange(12.0).view(4, 3),
    "bytes": torch.tensor([[1, -2]], dtype=torch.int8),
    "half": torch.tensor([0.5], dtype=torch.float16),
    "empty": torch.zeros(0, 14),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", TENSORS, {"step": 7, "name": "grün"})


def test_round_trip(written: Path) -> None:
    tensors, meta = read_checkpoint(written)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert (meta["step"], meta["name"]) == (7, "grün")


def test_it_is_two_files_and_no_pickle(written: Path) -> None:
    assert sorted(p.name for p in written.iterdir()) == ["state.json", "state.safetensors"]
    for path in written.iterdir():
        with pytest.raises(Exception):  # noqa: B017  any complaint will do
            pickle.loads(path.read_bytes())


def test_views_and_device_tensors_are_written_as_they_look(tmp_path: Path) -> None:
    base = torch.arange(6.0).view(2, 3)
    path = write_checkpoint(tmp_path / "c", {"a": base.T, "b": base[:, 1].requires_grad_()}, {})
    tensors, _ = read_checkpoint(path)
    assert torch.equal(tensors["a"], base.T)
    assert tensors["b"].tolist() == [1, 4]


def test_a_newer_one_takes_the_place_and_leaves_nothing_beside(written: Path) -> None:
    write_checkpoint(written, {"x": torch.ones(1)}, {"step": 8})
    assert read_checkpoint(written)[1]["step"] == 8
    assert list(written.parent.iterdir()) == [written]


@pytest.mark.parametrize("keep", [0, 4, 30, -1])
def test_a_truncated_file_is_refused(written: Path, keep: int) -> None:
    path = written / "state.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="could not be read"):
        read_checkpoint(written)


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"format": 99}', "[1]", "null"])
def test_broken_metadata_is_refused(written: Path, text: str) -> None:
    (written / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match=str(written.name)):
        read_checkpoint(written)


def test_binary_where_json_should_be(written: Path) -> None:
    (written / "state.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError):
        read_checkpoint(written)


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
def test_a_missing_file_is_named(written: Path, name: str) -> None:
    (written / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(written)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        read_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        SafetensorError(
            'Error while serializing: IoError(Os { code: 28, kind: StorageFull, message: "" })'
        ),
        SafetensorError("Error while serializing: I/O error: File too large (os error 27)"),
    ],
)
def test_a_full_disk_leaves_the_old_checkpoint(
    written: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(tensors: dict, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CapacityError, match="does not fit on the file system"):
        write_checkpoint(written, TENSORS, {"step": 8})
    assert read_checkpoint(written)[1]["step"] == 7
    assert list(written.parent.iterdir()) == [written]


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("")
    with pytest.raises(CheckpointError, match="other files"):
        write_checkpoint(tmp_path / "photos", TENSORS, {})
    assert (tmp_path / "photos" / "holiday.jpg").exists()


def test_metadata_is_json_that_others_can_read(written: Path) -> None:
    assert json.loads((written / "state.json").read_text())["format"] == checkpoint.FORMAT

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A file or folder appears whole or not at all, and what was there before survives a failure."""

import errno
import os
from pathlib import Path

import pytest

from ineus_core.errors import CapacityError, ConfigError
from ineus_core.files import check_writable, replace_file, replacing


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = replace_file(tmp_path / "a" / "b.txt", "grün\n")
    assert path.read_bytes() == "grün\n".encode()
    replace_file(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert names(tmp_path) == ["a", "b.txt"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, full_disk: None) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(CapacityError, match=r"a\.txt: does not fit"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with replacing(tmp_path / "folder") as beside:
            beside.mkdir()
            (beside / content).write_text(content)
    assert names(tmp_path) == ["folder", "second"]


def test_a_full_disk_leaves_the_old_folder(tmp_path: Path, full_disk: None) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with pytest.raises(CapacityError), replacing(tmp_path / "folder") as beside:
        beside.mkdir()
        (beside / "new").write_text("new")
    assert names(tmp_path) == ["folder", "old"]


def test_a_folder_that_cannot_move_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).name == "folder" and not str(source).endswith(".old"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with (
        pytest.raises(ConfigError, match="cannot be written"),
        replacing(tmp_path / "folder") as b,
    ):
        b.mkdir()
    assert names(tmp_path) == ["folder", "old"]


def test_a_file_never_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with pytest.raises(ConfigError, match="cannot be written"):
        replace_file(tmp_path / "folder", "new")
    assert names(tmp_path) == ["folder", "old"]


def test_an_error_of_the_writer_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with replacing(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_half()
    assert names(tmp_path) == []


def test_a_place_that_can_be_written_stays_as_it_is(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        check_writable(tmp_path / "file" / "folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        replace_file(tmp_path / "file" / "a.txt", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        check_writable(tmp_path / "a")

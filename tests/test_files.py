# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A file or folder appears whole or not at all, and what was there before survives a failure."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ineus_core import files
from ineus_core.errors import CapacityError, ConfigError, SourceError
from ineus_core.files import check_source_exists, check_writable, replace_file, replacing, whole


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
    monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
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


def write_folder(path: Path, content: str) -> None:
    with replacing(path) as beside:
        beside.mkdir()
        (beside / content).write_text(content)


def killed_while(act: Callable[[], None]) -> int:
    """Run in a child of its own; return the signal that ended it."""
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("calls", [1, 2])
def test_a_kill_between_the_steps_of_a_replacement_leaves_a_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool, calls: int
) -> None:
    folder = tmp_path / "folder"
    write_folder(folder, "first")
    if not can_exchange:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    name = "_exchanged" if can_exchange else "replace"
    place = files if can_exchange else os
    real, left = getattr(place, name), [calls]

    def die_after(*names: object) -> object:
        done = real(*names)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    monkeypatch.setattr(place, name, die_after)
    ended = killed_while(lambda: write_folder(folder, "second"))
    monkeypatch.undo()
    assert ended == (0 if can_exchange and calls == 2 else -signal.SIGKILL)
    assert names(whole(folder)) in (["first"], ["second"])
    # The next writer finds what is left, and leaves only its own.
    write_folder(folder, "third")
    assert names(tmp_path) == ["folder", "third"]


def test_the_half_that_a_kill_left_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    def die() -> None:
        with replacing(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed_while(die) == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    replace_file(tmp_path / "b.txt", "another name")
    assert len(names(tmp_path)) == 2
    replace_file(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_what_another_writer_is_writing_stays(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as first:
        first.write_text("first")
        replace_file(tmp_path / "a.txt", "second")
        assert first.read_text() == "first"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


def test_files_of_others_with_like_names_stay(tmp_path: Path) -> None:
    for name in (".notes.a.txt", "x.a.txt", ".12345678.a.txt.txt"):
        (tmp_path / name).write_text("theirs")
    replace_file(tmp_path / "a.txt", "ours")
    assert len(names(tmp_path)) == 4


def test_a_folder_that_nobody_can_make_is_found_ahead() -> None:
    # Whoever asks, root included: the kernel lets no one make a folder there.
    with pytest.raises(ConfigError, match="/proc cannot be written"):
        check_writable("/proc/run")


def test_what_is_not_there_and_what_is_empty(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="lost: no such file or folder"):
        check_source_exists(tmp_path / "lost")
    with pytest.raises(SourceError, match="the folder is empty"):
        check_source_exists(tmp_path)
    (tmp_path / "file").touch()
    check_source_exists(tmp_path)

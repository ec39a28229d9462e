# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sources by kind and by content."""

from collections.abc import Callable
from pathlib import Path

import pytest
from folder_making import make_posed_images, make_seven_scenes, make_tum

from ineus_core.errors import ConfigError, SourceError
from ineus_core.sources import Source, SourceConfig, open_source, source_kind, source_kinds


@pytest.mark.parametrize(
    ("make", "kind"),
    [(make_posed_images, "posed_images"), (make_seven_scenes, "seven_scenes"), (make_tum, "tum")],
)
def test_the_content_tells_the_kind(
    tmp_path: Path, make: Callable[[Path], Path], kind: str
) -> None:
    folder = make(tmp_path / "data")
    assert source_kind(folder) == kind
    for source in (open_source(folder), open_source(str(folder), kind)):
        assert isinstance(source, Source)
        assert source.kind == kind
        assert len(list(source)) == len(source) == 3


@pytest.mark.parametrize("name", ["drive.mcap", "drive.db3", "metadata.yaml", "drive_0.mcap"])
def test_bags_are_known_by_their_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert source_kind(tmp_path) == "rosbag"
    if name.startswith("drive."):
        assert source_kind(tmp_path / name) == "rosbag"


def test_a_scene_folder_with_one_sequence(tmp_path: Path) -> None:
    make_seven_scenes(tmp_path / "scene" / "seq-01")
    assert source_kind(tmp_path / "scene") == "seven_scenes"


@pytest.mark.parametrize(
    ("path", "size"), [("synthetic", 320), ("synthetic:room", 320), ("synthetic:object", 400)]
)
def test_built_in_scenes_need_no_folder(path: str, size: int) -> None:
    source = open_source(path)
    assert source.kind == "synthetic"
    assert len(source) == 100
    assert len(open_source(path, "synthetic", SourceConfig(max_frames=5))) == 5
    assert source.camera.width_px == size  # type: ignore[attr-defined]


def test_a_folder_called_synthetic_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tum(tmp_path / "synthetic")
    monkeypatch.chdir(tmp_path)
    assert source_kind("synthetic") == "tum"


def test_settings_reach_the_source(tmp_path: Path) -> None:
    config = SourceConfig(
        max_frames=2, min_depth_m=2.0, posed_images={"depth_scale": 500.0}, synthetic={"frames": 4}
    )
    source = open_source(make_posed_images(tmp_path / "data"), config=config)
    frames = list(source)
    assert len(frames) == 2
    assert frames[0].depth_m is not None
    assert frames[0].depth_m[0, :3].tolist() == [2.0, 5.0, 0.0]
    small = {"synthetic": {"frames": 4, "width_px": 16, "height_px": 12}, "min_depth_m": 9.0}
    frames = list(open_source("synthetic", config=SourceConfig(**small)))  # type: ignore[arg-type]
    assert len(frames) == 4
    assert frames[0].depth_m is not None
    assert not frames[0].depth_m.any()


def test_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown source 'rosbags'.*did you mean rosbag\?"):
        open_source(tmp_path, "rosbags")
    with pytest.raises(ConfigError, match=r"expected auto or one of .*tum"):
        open_source(tmp_path, "zzz")


@pytest.mark.parametrize("kind", ["auto", "rosbag", "posed_images", "seven_scenes", "tum"])
def test_nothing_there_and_nothing_in_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceError, match="lost: no such file or folder"):
        open_source(tmp_path / "lost", kind)
    with pytest.raises(SourceError, match="the folder is empty"):
        open_source(tmp_path, kind)


def test_nothing_known_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(SourceError, match=r"can be recognised.*posed_images"):
            open_source(path)
    for kind in ("posed_images", "seven_scenes", "tum"):
        with pytest.raises(SourceError):
            open_source(tmp_path / "notes.txt", kind)


@pytest.mark.parametrize("path", ["synthetic:house", "house"])
def test_no_such_built_in_scene(path: str) -> None:
    with pytest.raises(
        SourceError, match="expected synthetic, synthetic:room or synthetic:object"
    ):
        open_source(path, "synthetic")


def test_every_kind_has_its_settings() -> None:
    assert set(source_kinds()) <= set(SourceConfig.model_fields)

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sources by kind and by content."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from folder_making import make_posed_images, make_seven_scenes, make_tum
from pydantic import Field
from registered_source import registered_source

from ineus_core.config import load_config
from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, SourceError
from ineus_core.sources import (
    SCENES,
    HasReferenceMesh,
    ReadOptions,
    Source,
    SourceConfig,
    dataset_from_world,
    frame_count,
    known_points,
    known_poses,
    open_source,
    reference_mesh,
    register_source,
    source_kind,
    source_kinds,
)
from ineus_core.types import Camera, Frame


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
        assert source.kind == kind  # type: ignore[attr-defined]
        assert len(list(source)) == frame_count(source) == 3


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
    ("path", "size"),
    [("synthetic", 320)] + [(f"synthetic:{name}", s.size_px[0]) for name, s in SCENES.items()],
)
def test_built_in_scenes_need_no_folder(path: str, size: int) -> None:
    source = open_source(path)
    assert source_kind(path) == "synthetic"
    assert frame_count(source) == 100
    few = open_source(path, "synthetic", SourceConfig(max_frames=5))
    assert frame_count(few) == 5
    assert few.camera.width_px == size  # type: ignore[attr-defined]


def test_a_folder_called_synthetic_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tum(tmp_path / "synthetic")
    monkeypatch.chdir(tmp_path)
    assert source_kind("synthetic") == "tum"


def test_settings_reach_the_source(tmp_path: Path) -> None:
    config = SourceConfig(
        max_frames=2, posed_images={"depth_scale": 500.0}, synthetic={"frames": 4}
    )
    source = open_source(make_posed_images(tmp_path / "data"), config=config)
    frames = list(source)
    assert len(frames) == 2
    assert frames[0].depth_m is not None
    assert frames[0].depth_m[0, :3] == pytest.approx([2.0, 5.0, 0.1])
    small = {"synthetic": {"frames": 4, "width_px": 16, "height_px": 12}}
    frames = list(open_source("synthetic", config=SourceConfig(**small)))  # type: ignore[arg-type]
    assert len(frames) == 4
    assert frames[0].rgb.shape == (12, 16, 3)


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
    *others, last = (f"synthetic:{name}" for name in SCENES)
    with pytest.raises(SourceError, match=f"expected synthetic, {', '.join(others)} or {last}"):
        open_source(path, "synthetic")


def test_every_kind_has_its_settings() -> None:
    assert set(source_kinds()) <= set(SourceConfig.model_fields)


def test_every_kind_stands_on_the_page_of_sources() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    rows = [line.split("|")[1].strip(" `") for line in page.splitlines() if line.startswith("| `")]
    assert tuple(rows[: len(source_kinds())]) == source_kinds()


class ListedConfig(ConfigModel):
    grey: int = Field(default=0, description="Value of all pixels")


class ListedSource:
    """Frames from memory: iteration and a counter are all that a source needs."""

    def __init__(self, path: str | Path, config: ListedConfig, options: ReadOptions) -> None:
        self.dropped: Counter[str] = Counter()
        self._config, self._options = config, options

    def __iter__(self) -> Iterator[Frame]:
        camera = Camera(4, 3, 4.0, 4.0, 2.0, 1.5)
        rgb = np.full((3, 4, 3), self._config.grey, dtype=np.uint8)
        for index in range(self._options.max_frames or 8):
            yield Frame(index, camera, np.eye(4), rgb)


@pytest.fixture
def listed() -> Iterator[None]:
    """Register a kind of one's own, for one test."""
    by_suffix = (ListedSource, ListedConfig, lambda path: path.suffix == ".listed")
    with registered_source("listed", *by_suffix):
        yield


@pytest.mark.usefixtures("listed")
def test_a_source_of_ones_own_is_found_and_has_settings() -> None:
    assert source_kind("nowhere.listed") == "listed"
    assert "listed" in source_kinds()
    config = load_config(overrides=["source.listed.grey=7", "source.max_frames=2"]).source
    frames = list(open_source("nowhere.listed", config=config))
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == [7, 7]
    by_default = list(open_source("anything", "listed"))
    assert (len(by_default), int(by_default[0].rgb.max())) == (8, 0)
    assert config.model_dump()["listed"] == {"grey": 7}


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("source.listed.gray=7", ["source.listed.gray"]),
        ("source.listed.grey=dark", ["source", "grey", "'dark'"]),
        ("source.lister.grey=7", ["source.lister"]),
    ],
)
def test_wrong_settings_of_a_source_of_ones_own(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[override])
    for word in words:
        assert word in str(error.value)


@pytest.mark.usefixtures("listed")
def test_what_a_source_cannot_is_left_out() -> None:
    source = open_source("anything", "listed")
    assert frame_count(source) is None
    assert known_poses(source) is None
    assert known_points(source) is None
    assert reference_mesh(source) is None
    np.testing.assert_array_equal(dataset_from_world(source), np.eye(4))


def test_what_a_source_can_is_used() -> None:
    config = SourceConfig.model_validate({"synthetic": {"frames": 4}})
    source = open_source("synthetic:object", config=config)
    poses = known_poses(source)
    assert poses is not None
    assert len(poses) == frame_count(source) == 4
    assert isinstance(source, HasReferenceMesh)


@pytest.mark.parametrize("name", ["tum", "max_frames", "my source", ""])
def test_names_that_cannot_be_registered(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be registered"):
        register_source(name, ListedSource, ListedConfig)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="lasers is no setting and no registered source"):
        SourceConfig.model_validate({"lasers": {}})

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, exit codes, error lines, and the printed configuration."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from command import CommandResult
from pydantic import Field

from ineus_core import cli
from ineus_core.cli.config import as_yaml
from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError, ConfigError, IneusError

Ineus = Callable[..., CommandResult]


@pytest.fixture
def broken_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `ineus run` raise what the test hands over."""

    def replace(error: BaseException) -> None:
        def command() -> None:
            raise error

        module: ModuleType | SimpleNamespace = SimpleNamespace(command=command)
        monkeypatch.setattr(cli, "import_module", lambda name: module)

    return replace


def test_every_sub_command_is_a_file() -> None:
    folder = Path(cli.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(cli.COMMANDS) <= files


@pytest.mark.parametrize("name", [[], *([name] for name in cli.COMMANDS)])
def test_help(ineus: Ineus, name: list[str]) -> None:
    result = ineus(*name, "--help")
    assert result.exit_code == 0
    assert "Usage: ineus" in result.stdout


def test_help_names_the_sub_commands(ineus: Ineus) -> None:
    printed = ineus("--help").stdout
    assert all(name in printed for name in cli.COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "{name}", "--out", "out"),
        ("run", "synthetic:room", "--out", "{name}"),
        ("run", "synthetic:room", "--out", "out", "--resume", "{name}"),
        ("run", "synthetic:room", "--out", "out", "--config", "{name}"),
        ("bag", "info", "{name}"),
    ],
)
def test_a_name_of_kilobytes_is_a_short_sentence(ineus: Ineus, words: tuple[str, ...]) -> None:
    result = ineus(*(word.format(name="n" * 5000) for word in words))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("ineus: error: ") and len(line) < 1100
    assert "long" in line[-200:]


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys; from ineus_core.cli import main; main(['--help']); "
        "sys.exit(bool({'torch', 'numpy', 'cv2', 'numba'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert finished.returncode == 0


def test_version(ineus: Ineus) -> None:
    from ineus_core import __version__

    assert ineus("--version").stdout == f"ineus {__version__}\n"


def test_unknown_sub_command(ineus: Ineus) -> None:
    ineus("rum").assert_fails(2, "rum", "run", "--help")


def test_unknown_option(ineus: Ineus) -> None:
    ineus("config", "--colour").assert_fails(2, "--colour", "ineus config --help")


def test_missing_argument(ineus: Ineus) -> None:
    ineus("config", "--set").assert_fails(2, "--set")


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (IneusError("it failed"), 1, ["it failed"]),
        (CapacityError("no room\nat all"), 1, ["no room at all"]),
        (ConfigError("key a.b"), 2, ["key a.b"]),
        (ValueError("odd shape"), 1, ["ValueError: odd shape", "--debug"]),
        (OSError(28, "No space left on device", "mesh.ply"), 1, ["No space left", "mesh.ply"]),
    ],
)
def test_error_is_a_line_and_an_exit_code(
    ineus: Ineus,
    broken_command: Callable[[BaseException], None],
    error: BaseException,
    exit_code: int,
    words: list[str],
) -> None:
    broken_command(error)
    ineus("run").assert_fails(exit_code, *words)


def test_interrupt(ineus: Ineus, broken_command: Callable[[BaseException], None]) -> None:
    broken_command(KeyboardInterrupt())
    assert ineus("run").exit_code == 130


@pytest.mark.parametrize("arguments", [["--debug", "run"], ["run", "--debug"]])
def test_debug_shows_where(
    ineus: Ineus, broken_command: Callable[[BaseException], None], arguments: list[str]
) -> None:
    broken_command(ValueError("odd shape"))
    with pytest.raises(ValueError, match="odd shape"):
        ineus(*arguments)


def test_reader_that_goes_away_is_not_an_error() -> None:
    program = "import sys; from ineus_core.cli import main; sys.exit(main(['--help']))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_switches_of_others_are_left_alone() -> None:
    words = ["node", "--verbose", "--ros-args", "--debug"]
    assert cli._take_switches(words) == (["node", "--ros-args", "--debug"], False, True)


class InnerConfig(ConfigModel):
    size_m: float = Field(0.5, description="Edge of a cell, in m.")
    axes: tuple[int, ...] = Field((1, 2), description="Axes.")


class OuterConfig(ConfigModel):
    name: str = Field("", description="A name.")
    rate: float = Field(1e-5, description="A rate.")
    inner: InnerConfig = Field(InnerConfig(), description="What is inside.")


def test_yaml_holds_descriptions_and_values() -> None:
    assert as_yaml(OuterConfig()).splitlines() == [
        "# A name.",
        "name: ''",
        "# A rate.",
        "rate: 1.0e-05",
        "# What is inside.",
        "inner:",
        "  # Edge of a cell, in m.",
        "  size_m: 0.5",
        "  # Axes.",
        "  axes: [1, 2]",
    ]


def test_yaml_for_ros_is_the_same_tree() -> None:
    bare, ros = (yaml.safe_load(as_yaml(OuterConfig(), ros=ros)) for ros in (False, True))
    assert ros == {"/**": {"ros__parameters": bare}}
    assert OuterConfig.model_validate(bare) == OuterConfig()


def test_an_empty_list_which_ros_refuses_is_a_comment() -> None:
    class ListConfig(ConfigModel):
        box: tuple[float, ...] = Field((), description="A box.")

    assert as_yaml(ListConfig()).splitlines() == ["# A box.", "box: []"]
    last = as_yaml(ListConfig(), ros=True).splitlines()[-1]
    assert last.startswith("    # box: []")


def test_printed_configuration_is_a_configuration(ineus: Ineus, tmp_path: Path) -> None:
    first = ineus("config", "--set", "seed=7")
    assert first.exit_code == 0, first.stderr
    assert yaml.safe_load(first.stdout)["seed"] == 7
    path = tmp_path / "config.yaml"
    path.write_text(first.stdout)
    assert ineus("config", "--config", path).stdout == first.stdout


def test_unknown_key_names_the_nearest(ineus: Ineus) -> None:
    ineus("config", "--set", "meshing.voxel_sise_m=0.1").assert_fails(
        2, "voxel_sise_m", "voxel_size_m"
    )


def test_missing_configuration_file(ineus: Ineus, tmp_path: Path) -> None:
    ineus("config", "--config", tmp_path / "none.yaml").assert_fails(2, "none.yaml")

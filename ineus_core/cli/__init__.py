# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The `ineus` command: its sub-commands, and how an error becomes a line and an exit code.

Each sub-command is a module here with its name, which has either a function `command` or, where it
has commands of its own, a Typer `app`. It raises `IneusError`; only this file turns errors into
output and exit codes.
"""

import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer

from ineus_core.errors import IneusError

COMMANDS = {
    "run": "Reconstruct a recording or a data set, offline and repeatably.",
    "check": "Check an input against itself: poses, depth, intrinsics, stamps.",
    "demo": "Record, play, reconstruct and check a built-in room over real ROS topics.",
    "view": "Show a finished run, a checkpoint or a mesh in a browser.",
    "compare": "Set the reports of several runs side by side.",
    "eval": "Measure a mesh against a reference.",
    "render": "Render colour, depth and normals from a checkpoint.",
    "mesh": "Extract a mesh from a checkpoint.",
    "colmap": "Find the poses of photographs or of a video by structure from motion.",
    "bag": "Make, play and inspect ROS 2 bags without a ROS installation.",
    "compile": "Compile all kernels of a configuration, as for the image of a robot.",
    "bench": "Measure throughput by stage on built-in work.",
    "config": "Print the full configuration as YAML.",
    "node": "Run the ROS node where there is no `ros2 run`.",
}
"""Sub-commands in the order of the help; each is a file here, named like it."""

# 128 and the number of SIGINT, as shells have it.
_INTERRUPTED = 130
_LONGEST = 1000
"""Characters of a message: a name of kilobytes would bury what is said of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ineus` and return its exit code: 0 done, 1 failed, 2 usage or configuration.

    Args:
        arguments: What stands behind `ineus`; those of the process if not given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, debug, verbose = _take_switches(words)
    _set_up_logging(debug, verbose)
    try:
        # Not standalone, as typer would otherwise print errors in its own way and end the process.
        result = _application(words)(words, prog_name="ineus", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        return _tell(error)


def _tell(error: Exception) -> int:
    """Put an error on stderr and return the exit code that it stands for."""
    # By name, as Click before 8.2 has no such class.
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error, err=True)
        return 2
    # By way of typer, whose newer versions bring a Click of their own.
    usage_error: Any = typer.BadParameter.__base__
    if isinstance(error, IneusError):
        message, exit_code = str(error), error.exit_code
    elif isinstance(error, usage_error):
        message, exit_code = _usage_message(error), 2
    elif isinstance(error, typer.Abort):
        return _INTERRUPTED
    elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        message, exit_code = f"{error.filename}: no file system takes such a long name", 2
    else:
        message = f"{type(error).__name__}: {error} (`ineus --debug ...` shows where)"
        exit_code = 1
    print(f"ineus: error: {_in_short(message)}", file=sys.stderr)
    return exit_code


def _in_short(message: str) -> str:
    """Return a message in one line, without its middle if it is endless."""
    line = " ".join(message.split())
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"


def _usage_message(error: Any) -> str:
    """Return the message of a usage error and where to read more."""
    path = error.ctx.command_path if error.ctx else "ineus"
    return f"{error.format_message()} See `{path} --help`."


def _take_switches(words: list[str]) -> tuple[list[str], bool, bool]:
    """Take `--debug` and `--verbose` out of the words before a `--` or `--ros-args`."""
    ends = [words.index(mark) for mark in ("--", "--ros-args") if mark in words]
    end = min(ends, default=len(words))
    ours = words[:end]
    left = [word for word in ours if word not in ("--debug", "--verbose")]
    return left + words[end:], "--debug" in ours, "--verbose" in ours


def _set_up_logging(debug: bool, verbose: bool) -> None:
    """Log to stderr: warnings, with `--verbose` what is going on, with `--debug` everything."""
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    for name in ("ineus_core", "ineus_ros"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if not logger.handlers:
            logger.addHandler(_handler())


def _handler() -> logging.Handler:
    from rich.console import Console
    from rich.logging import RichHandler

    return RichHandler(console=Console(stderr=True), show_path=False, log_time_format="%H:%M:%S")


def _application(words: Sequence[str]) -> typer.Typer:
    """Build the command line; only the sub-command that is asked for is imported."""
    wanted = next((word for word in words if not word.startswith("-")), None)
    app = typer.Typer(
        name="ineus",
        help="Live neural surface reconstruction from posed camera frames.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for name, summary in COMMANDS.items():
        if name == wanted:
            _register(app, name, summary, import_module(f"ineus_core.cli.{name}"))
        else:
            app.command(name, help=summary)(_not_imported)
    return app


def _register(app: typer.Typer, name: str, summary: str, module: ModuleType) -> None:
    """Add the sub-command of a module: its `app` or its `command`."""
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name, short_help=summary)
    else:
        settings = getattr(module, "CONTEXT_SETTINGS", None)
        app.command(name, short_help=summary, context_settings=settings)(module.command)


def _not_imported() -> None:
    """Stand in the help for a sub-command that was not asked for."""
    raise AssertionError("only the sub-command that was asked for is ever run")


def _print_version(wanted: bool) -> None:
    if wanted:
        from ineus_core import __version__

        typer.echo(f"ineus {__version__}")
        raise typer.Exit()


def _global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what is going on.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Describe the options that `main` has already taken, wherever they stood."""

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The exceptions of ineus. Each message names the thing, its value and what was expected."""


class IneusError(Exception):
    """Base of every error that ineus raises on purpose."""

    exit_code = 1


class ConfigError(IneusError):
    """A configuration key or value that cannot be used."""

    exit_code = 2


class SourceError(IneusError):
    """Input data that cannot be read or makes no sense."""


class MissingFileError(SourceError):
    """A file of a source whose others are there, so that it is of the kind it was read as."""


class CheckpointError(IneusError):
    """A checkpoint that cannot be written, read or matched to the configuration."""


class CapacityError(IneusError):
    """A buffer, a file system or a device that is too small for what was asked of it."""


class RankError(IneusError):
    """Another process of a run on several devices that is gone or does not answer."""


class MissingDependencyError(IneusError):
    """An optional package that is needed for what was asked.

    Args:
        package: Name of the package that could not be imported.
        extra: Extra of ineus that installs it; empty: it is installed by its own name.
        source: What pip installs instead where the name alone is not enough.
    """

    def __init__(self, package: str, extra: str = "", source: str = "") -> None:
        """Say which package is missing and how to install it."""
        wanted = f"'ineus_ros[{extra}]'" if extra else source or package
        super().__init__(f"{package} is not installed; install it with: pip install {wanted}")
        self.package = package

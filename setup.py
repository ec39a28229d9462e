# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Install ineus by pip and by colcon. The version stands in package.xml alone."""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
NAME = "ineus_ros"


def files_of(folder: str) -> list[str]:
    """List the files of a folder, relative to this one, as data_files wants them."""
    return sorted(str(path.relative_to(HERE)) for path in HERE.glob(f"{folder}/*.*"))


setup(
    name=NAME,
    version=ElementTree.parse(HERE / "package.xml").getroot().findtext("version"),
    description="Live neural surface reconstruction from posed camera frames, with a ROS 2 node",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The ineus authors",
    maintainer="The ineus authors",
    maintainer_email="ineus@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["ineus_core*", "ineus_ros*"]),
    package_data={
        "ineus_core": ["py.typed"],
        "ineus_core.evaluation.report": ["page.css", "page.js"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files_of("launch")),
        (f"share/{NAME}/config", files_of("config")),
        (f"share/{NAME}/config/seed", files_of("config/seed")),
    ],
    install_requires=[
        "jaxtyping>=0.2.34",
        "matplotlib>=3.8",
        "numba>=0.60",
        "numpy>=1.26",
        "opencv-python-headless>=4.8",
        "pillow>=10.0",
        "pydantic>=2.6",
        "pyyaml>=6.0",
        "rich>=13.0",
        "rosbags>=0.10",
        "safetensors>=0.4",
        "scipy>=1.11",
        "torch>=2.4",
        "trimesh>=4.0",
        "typer>=0.16",
    ],
    extras_require={
        "ros": [
            "ros-jazzy-rclpy==7.1.6",
            "ros-jazzy-common-interfaces==5.3.6",
            "ros-jazzy-rmw-fastrtps-cpp==8.4.3",
        ],
        # Open3D 0.20 was seen to return empty meshes.
        "eval": ["open3d>=0.18,<0.20"],
        "colmap": ["pycolmap>=4.0"],
        # The light of its surfaces fits the tones of this version.
        "view": ["viser==1.1.1"],
        "texture": ["xatlas>=0.0.9"],
        "docs": ["pdoc>=15.0"],
        "dev": [
            "beartype>=0.18",
            "coverage>=7.4",
            "mypy>=1.8",
            "pytest>=8.0",
            "ruff>=0.5",
            "scikit-image>=0.22",
            "selenium>=4.40",
            "types-PyYAML",
        ],
    },
    entry_points={
        "console_scripts": [
            "ineus = ineus_core.cli:main",
            "reconstruct = ineus_ros.node:main",
        ],
    },
    zip_safe=False,
)

# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the node with the topics of a camera, and RViz or a bag beside it if asked for."""

# ruff: noqa: I001 - it takes the package `launch` for this folder
import shutil
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_context import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

PACKAGE = "ineus_ros"

CAMERAS = {
    "none": {},
    "realsense": {
        "color/image": "/camera/camera/color/image_raw",
        "color/camera_info": "/camera/camera/color/camera_info",
        "depth/image": "/camera/camera/aligned_depth_to_color/image_raw",
        "depth/camera_info": "/camera/camera/aligned_depth_to_color/camera_info",
    },
    "zed": {
        "color/image": "/zed/zed_node/rgb/color/rect/image",
        "color/camera_info": "/zed/zed_node/rgb/color/rect/camera_info",
        "depth/image": "/zed/zed_node/depth/depth_registered",
        "odom": "/zed/zed_node/odom",
    },
    "oakd": {
        "color/image": "/oak/rgb/image_raw",
        "color/camera_info": "/oak/rgb/camera_info",
        "depth/image": "/oak/stereo/image_raw",
        "depth/camera_info": "/oak/stereo/camera_info",
    },
    "kinect": {
        "color/image": "/rgb/image_raw",
        "color/camera_info": "/rgb/camera_info",
        "depth/image": "/depth_to_rgb/image_raw",
        "depth/camera_info": "/depth_to_rgb/camera_info",
    },
    "isaac_sim": {
        "color/image": "/front_stereo_camera/left/image_raw",
        "color/camera_info": "/front_stereo_camera/left/camera_info",
        "depth/image": "/front_stereo_camera/depth/ground_truth",
        "odom": "/chassis/odom",
    },
    "bag": {
        "color/image": "/camera/color/image_raw",
        "color/camera_info": "/camera/color/camera_info",
        "depth/image": "/camera/depth/image_raw",
        "odom": "/odom",
    },
}
"""Topics by camera: those that its driver (or `ineus bag make`) publishes by default."""

COMPRESSED = {"color/image": "compressed", "depth/image": "compressedDepth"}

POSE_SOURCES = ("auto", "tf", "pose", "pose_with_covariance", "transform", "odom")

ARGUMENTS = (
    ("camera", "none", f"Whose topics to take: {', '.join(CAMERAS)}.", list(CAMERAS)),
    ("namespace", "", "Namespace of the node.", None),
    ("params_file", "", "Parameter file, for example one of config/.", None),
    ("use_sim_time", "false", "Take the time from /clock.", ["true", "false"]),
    ("pose_source", "auto", f"{', '.join(POSE_SOURCES)}.", list(POSE_SOURCES)),
    ("global_frame", "odom", "Frame id of the world.", None),
    ("image_transport", "raw", "raw or compressed.", ["raw", "compressed"]),
    ("reliable", "false", "Ask for reliable delivery of images.", ["true", "false"]),
    ("device", "auto", "auto, cpu, cuda or cuda:N.", None),
    ("output_dir", "ineus_out", "Folder for meshes and checkpoints.", None),
    ("save_on_shutdown", "false", "Write the mesh at the end.", ["true", "false"]),
    ("autostart", "true", "Configure and activate at start.", ["true", "false"]),
    ("log_level", "info", "debug, info, warn, error or fatal.", None),
    ("bag", "", "Bag to play, with /clock, once the node listens; empty: none.", None),
    ("rate", "1.0", "Rate at which the bag is played.", None),
    ("loop", "false", "Start the bag over at its end.", ["true", "false"]),
    ("rviz", "false", "Start RViz with config/ineus.rviz.", ["true", "false"]),
)
"""Name, default, description and choices."""

STRINGS = ("pose_source", "global_frame", "image_transport", "device", "output_dir")
BOOLEANS = ("use_sim_time", "reliable", "save_on_shutdown", "autostart")


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=about, choices=choices)
        for name, default, about, choices in ARGUMENTS
    ]
    buffered = SetEnvironmentVariable("RCUTILS_LOGGING_BUFFERED_STREAM", "1")
    return LaunchDescription([buffered, *arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Node | ExecuteProcess]:
    """Make the node, and the bag's player, for the arguments as they now are."""

    def given(name: str) -> str:
        return context.perform_substitution(LaunchConfiguration(name))

    is_from_bag = bool(given("bag"))
    camera = "bag" if is_from_bag and given("camera") == "none" else given("camera")
    remappings = list(CAMERAS[camera].items())
    remappings += [
        (f"{name}/{COMPRESSED[name]}", f"{topic}/{COMPRESSED[name]}")
        for name, topic in CAMERAS[camera].items()
        if name in COMPRESSED
    ]
    # A bag brings its transforms on /tf, wherever the node stands.
    follows = given("namespace") and not is_from_bag
    of_tf = [("/tf", "tf"), ("/tf_static", "tf_static")] if follows else []
    remappings += of_tf
    # The file comes first, so that arguments win over it; only those that were given do.
    parameters: list[str | dict[str, object]] = (
        [given("params_file")] if given("params_file") else []
    )
    defaults = {name: default for name, default, _, _ in ARGUMENTS}
    changed = {
        name: given(name) == "true"
        if name in BOOLEANS
        else ParameterValue(given(name), value_type=str)
        for name in (*STRINGS, *BOOLEANS)
        if given(name) != defaults[name] or not parameters
    }
    if is_from_bag:
        changed["use_sim_time"] = True
    parameters.append(changed)
    started: list[Node | ExecuteProcess] = [
        Node(
            package=PACKAGE,
            executable="reconstruct",
            name="ineus",
            namespace=given("namespace"),
            parameters=parameters,
            remappings=remappings,
            arguments=["--ros-args", "--log-level", given("log_level")],
            output="screen",
        )
    ]
    if is_from_bag:
        started.append(player(given("bag"), given("rate"), given("loop"), given("namespace")))
    if given("rviz") == "true":
        started.append(rviz(given("namespace"), given("global_frame"), of_tf))
    return started


def player(bag: str, rate: str, loop: str, namespace: str) -> ExecuteProcess:
    """Make what plays the bag; it waits for the node, which takes seconds to start."""
    ineus = ["ineus"] if shutil.which("ineus") else ["ros2", "run", PACKAGE, "ineus"]
    play = [*ineus, "bag", "play", bag, "--clock", "--rate", rate]
    play += ["--wait-subscribers", "120"] + ["--loop"] * (loop == "true")
    if namespace:
        # Where transforms cannot be played, the node hears the camera's poses.
        play += ["--poses-topic", f"/{namespace.strip('/')}/transform"]
    return ExecuteProcess(cmd=play, output="screen")


def rviz(namespace: str, fixed_frame: str, remappings: list[tuple[str, str]]) -> Node:
    """Make RViz; its topics are relative, so that they are those of the node in its namespace."""
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        arguments=["-d", str(share() / "config" / "ineus.rviz"), "-f", fixed_frame],
        remappings=remappings,
        output="screen",
    )


def share() -> Path:
    """Find the files of the installed package, or of the source tree around this file."""
    return Path(__file__).resolve().parent.parent

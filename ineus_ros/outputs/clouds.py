# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Point clouds of ROS as arrays, and back."""

import array
from typing import Any

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from ineus_core.errors import SourceError

_KINDS = {PointField.FLOAT32: "f4", PointField.FLOAT64: "f8"}
_NAMES = {
    np.dtype("<f4"): PointField.FLOAT32,
    np.dtype("<f8"): PointField.FLOAT64,
    np.dtype("u1"): PointField.UINT8,
}


def read_xyz(message: Any) -> np.ndarray:
    """Return the points of a cloud [n 3] in the order of its rows, in the precision it has.

    Raises:
        SourceError: If it has no x, y and z as floats, or less data than it says.
    """
    # Clouds of other machines come as they were written.
    order = ">" if message.is_bigendian else "<"
    fields = {field.name: field for field in message.fields}
    try:
        xyz = [fields[name] for name in "xyz"]
        formats = [order + _KINDS[field.datatype] for field in xyz]
    except KeyError as error:
        known = ", ".join(fields) or "none"
        raise SourceError(
            f"cloud with the fields {known}: expected x, y and z as FLOAT32 or FLOAT64"
        ) from error
    try:
        record = np.dtype(
            {
                "names": ["x", "y", "z"],
                "formats": formats,
                "offsets": [field.offset for field in xyz],
                "itemsize": message.point_step,
            }
        )
        rows = np.ndarray(
            (message.height, message.width),
            record,
            bytes(message.data),
            # By the steps that it names, as drivers pad points and rows.
            strides=(message.row_step, message.point_step),
        )
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"cloud of {message.height} x {message.width} points, {message.point_step} bytes "
            f"each, with {len(message.data)} bytes of data: {error}"
        ) from error
    is_double = any(field.datatype == PointField.FLOAT64 for field in xyz)
    kind = np.float64 if is_double else np.float32
    return np.stack([rows[name].ravel().astype(kind) for name in "xyz"], axis=1)


def cloud_message(header: Header, records: np.ndarray, is_dense: bool = True) -> PointCloud2:
    """Make a cloud of a structured array; fields whose names begin with `_` are padding."""
    record = records.dtype
    assert record.names is not None and record.fields is not None
    message = PointCloud2(header=header, height=1, width=len(records), is_dense=is_dense)
    message.fields = [
        PointField(name=name, offset=offset, datatype=_NAMES[kind], count=1)
        for name, (kind, offset, *_) in record.fields.items()
        if not name.startswith("_")
    ]
    message.point_step = record.itemsize
    message.row_step = records.nbytes
    # Any other type of data is checked value by value, which takes a hundred times as long.
    message.data = array.array("B", records.tobytes())
    return message

"""Write the canonical face mesh that the package carries, from the model file: python -m scripts.canonical_mesh

The model file holds it as a protocol-buffer message. Its fields are declared here, so that the package itself needs
neither the declarations of MediaPipe nor a protobuf runtime. Run it again with another model file only.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

from lp_ray.face.mediapipe.bundle import read_member
from lp_ray.face.mediapipe.mesh import FILE

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"

FLOAT, UINT32, MESSAGE = 2, 13, 11
"""Types of FieldDescriptorProto."""

# Field names, numbers and types of MediaPipe's geometry_pipeline_metadata.proto and mesh_3d.proto (Apache-2.0).
FIELDS: dict[str, list[tuple[str, int, int, str]]] = {
    "Metadata": [("mesh", 1, MESSAGE, "Mesh"), ("basis", 2, MESSAGE, "Landmark")],
    "Mesh": [("vertices", 3, FLOAT, ""), ("indices", 4, UINT32, "")],
    "Landmark": [("id", 1, UINT32, ""), ("weight", 2, FLOAT, "")],
}


def read_mesh() -> dict[str, NDArray[Any]]:
    """Return the arrays of the carried file, read from the model file.

    `vertices` 468 x 3, `uv` 468 x 2, `triangles` 898 x 3, `rigid_indices` and `rigid_weights` 33.
    """
    metadata = _messages()["Metadata"].FromString(read_member(MEMBER))
    (mesh,) = metadata.mesh
    rows = np.array(mesh.vertices, np.float32).reshape(-1, 5)
    return {
        "vertices": rows[:, :3],
        "uv": rows[:, 3:],
        "triangles": np.array(mesh.indices, np.int16).reshape(-1, 3),
        "rigid_indices": np.array([point.id[0] for point in metadata.basis], np.int16),
        "rigid_weights": np.array([point.weight[0] for point in metadata.basis], np.float32),
    }


def _messages() -> dict[str, Any]:
    """Return the classes of FIELDS; every field is repeated, which reads single ones too."""
    file = descriptor_pb2.FileDescriptorProto(name="canonical_mesh.proto", package="lp_ray", syntax="proto2")
    for message, fields in FIELDS.items():
        kind = file.message_type.add(name=message)
        for name, number, type_, of in fields:
            label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            kind.field.add(name=name, number=number, type=type_, label=label, type_name=f".lp_ray.{of}" if of else None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"lp_ray.{name}")) for name in FIELDS}


def main() -> None:
    """Write the file and print its hash, which `lp_ray.face.mediapipe.mesh` pins."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **read_mesh())
    FILE.write_bytes(buffer.getvalue())
    print(f"{FILE}: sha256 {hashlib.sha256(buffer.getvalue()).hexdigest()}")


if __name__ == "__main__":
    main()

"""Writing files so that a kill or a full disk at any moment leaves a good one."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """The file takes its place only when it is whole and on the disk.

    Raises OSError, the former file intact. (safetensors' own save_file leaves temporary files behind a kill.)
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise

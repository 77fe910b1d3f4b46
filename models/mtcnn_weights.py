"""The weights of MTCNN's three networks, read from the installed `mtcnn` package (MIT) without importing it.

`import mtcnn` needs TensorFlow; its weights do not. They are joblib pickles: only files with the pinned digests are
opened, by an unpickler that allows numpy arrays and nothing else.
"""

import hashlib
import io
from importlib import metadata
from pathlib import Path

import lz4.frame
import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from errors import CheckpointError

SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
_ALLOWED = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): NumpyArrayWrapper,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def read_weights(net: str, path: Path | None = None) -> list[np.ndarray]:
    """The arrays of `pnet`, `rnet` or `onet`, float32, in Keras' order and layout. Raises CheckpointError."""
    path = path or _find_file(net)
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != SHA256[net]:
        raise CheckpointError(f"{path}: not the weights of mtcnn 1.0.0; install the version in requirements.lock again")
    return unpickle_arrays(lz4.frame.decompress(packed))


def unpickle_arrays(pickled: bytes) -> list[np.ndarray]:
    """A list of arrays from a joblib pickle. Raises CheckpointError if it names anything but arrays."""
    arrays = _ArrayUnpickler("", io.BytesIO(pickled), ensure_native_byte_order=True).load()
    if not isinstance(arrays, list) or not all(isinstance(array, np.ndarray) for array in arrays):
        raise CheckpointError("MTCNN's weights: not a list of arrays; install mtcnn of requirements.lock again")
    return arrays


class _ArrayUnpickler(NumpyUnpickler):  # type: ignore[misc] # joblib has no types
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise CheckpointError(f"MTCNN's weights: refused to load {module}.{name}, which is no array")
        return _ALLOWED[module, name]


def _find_file(net: str) -> Path:
    try:
        files = metadata.files("mtcnn") or []
    except metadata.PackageNotFoundError:
        raise CheckpointError("MTCNN's weights: the package mtcnn is not installed; run make install") from None
    for file in files:
        if file.name == f"{net}.lz4":
            return Path(str(file.locate()))
    raise CheckpointError(f"MTCNN's weights: {net}.lz4 is not in the package mtcnn; install it again")

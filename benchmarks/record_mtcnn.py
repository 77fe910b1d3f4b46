"""Record what the `mtcnn` package itself finds, for tests/test_mtcnn.py: boxes, confidences and landmarks, no pictures.

    python benchmarks/record_mtcnn.py FOLDER_OF_STILLS tests/data/mtcnn_reference.json

needs the dependency group `tensorflow` of pyproject.toml, and opencv-python-headless.
"""

import hashlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
from mtcnn import MTCNN

# The package's own default; with a larger one its pyramid ends in an error that it reports as "no face".
MIN_FACE_PX = 20
THRESHOLDS = {"threshold_pnet": 0.6, "threshold_rnet": 0.7, "threshold_onet": 0.8}


def record(stills: Path) -> dict[str, object]:
    """All stills of a folder, each with its SHA-256 and its faces by falling confidence."""
    package = MTCNN()
    return {
        "versions": {name: version(name) for name in ("mtcnn", "tensorflow")},
        "min_face_px": MIN_FACE_PX,
        "thresholds": list(THRESHOLDS.values()),
        "stills": {path.name: _record_still(package, path) for path in sorted(stills.iterdir())},
    }


def _record_still(package: MTCNN, path: Path) -> dict[str, object]:
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    rows = package.detect_faces(
        picture, box_format="xyxy", output_type="numpy", min_face_size=MIN_FACE_PX, **THRESHOLDS
    )
    faces = [
        {
            "box": row[1:5].round(3).tolist(),
            "confidence": round(float(row[5]), 6),
            "five": row[6:16].reshape(2, 5).T.round(3).tolist(),
        }
        for row in sorted(rows, key=lambda row: -row[5])
    ]
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "faces": faces}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(record(Path(sys.argv[1])), indent=1) + "\n")

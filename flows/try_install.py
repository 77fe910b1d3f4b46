"""Try an installation: import what the project uses, and run a Prefect flow of one task."""

import importlib
import warnings

from errors import FlowError, one_line_errors
from flows import environment  # noqa: F401 (sets what Prefect reads when it is imported)

# isort: split
from prefect import flow, task

from flows.server import ensure_server

MODULES = (
    *("albumentations", "av", "cv2", "dvc.repo", "joblib", "matplotlib", "mediapipe.python.solutions.face_mesh"),
    *("numpy", "pandas", "prefect", "pyarrow.parquet", "pydantic", "pytorch_lightning", "ruamel.yaml"),
    *("safetensors.torch", "torch"),
)


@task
def add(a: int, b: int) -> int:
    return a + b


@flow(name="try-install")
def try_flow() -> int:
    return add.submit(1, 2).result()


def main() -> None:
    with one_line_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise FlowError(f"{module} cannot be imported ({error}); remove .venv and run make again") from None
        ensure_server()
        if try_flow() != 3:
            raise FlowError("Prefect ran a flow, but gave a wrong result; remove .venv and run make again")


if __name__ == "__main__":
    main()

"""What each term of the objective, size and setting buys, by the synthetic performers' truth.

    python -m benchmarks.recipes FOLDER [--steps 1200] [--only NAME ...]

needs a checkout in which the demo was built up to `compare` and `augment`. Every recipe is the params' phases in
proportion with its changes, of so many steps in all, trained in a folder of its own in FOLDER, which is kept: what was
trained there is not trained again. The take is converted and evaluated with it as the stages do. Printed are held-out
DSSIM of the source, and of the swap against the truth PSNR, SSIM, sharpness, the correlations of mouth, eyes, gaze and
brows, and flicker.

Single runs of 400 steps, 192 px, 2 cores of an AMD EPYC with AVX-512, float32, 2026-11-30. Mouth, gaze and brows differ
between seeds as much as between most recipes: only large differences count. Of variants so few steps can tell nothing.

Before upscales were shared (models/arch/compact.py), 2026-12-01:

    recipe           held-out     psnr     ssim    sharp    mouth     eyes     gaze    brows  flicker       s
    default            0.0897   24.143    0.732    0.531    0.895    0.896    0.607    0.758    0.941     103
    no mixed codes     0.0859   23.982    0.728    0.462    0.914    0.921    0.798    0.730    0.941      98

Before that, the rate falling in steps, without mixed codes, half exchanged and `detail` 0.25:

    recipe           held-out     psnr     ssim    sharp    mouth     eyes     gaze    brows  flicker       s
    default            0.1056   23.031    0.673    0.252    0.762    0.933    0.689    0.586    0.743      95
    another seed       0.1045   23.093    0.682    0.258    0.646    0.871   -0.085    0.617    0.783      98
    dssim alone        0.1034   20.575    0.671    0.400    0.638    0.924    0.387    0.493    0.805     101
    l1 alone           0.1197   23.512    0.669    0.186    0.723    0.742    0.422    0.321    0.766      89
    adversarial        0.1062   22.948    0.670    0.255    0.636    0.934    0.659    0.578    0.736     182
    no noise           0.1054   23.040    0.673    0.239    0.811    0.931    0.690    0.591    0.738      95
    no emphasis        0.1128   22.333    0.659    0.196    0.806    0.896    0.741    0.616    0.643      94
    no balance         0.1022   23.111    0.676    0.216    0.715    0.932    0.616    0.509    0.737      90
    adamw              0.1170   22.688    0.654    0.184    0.727    0.778    0.398    0.411    0.716      90
    tiny               0.1247   21.664    0.633    0.185    0.342    0.675    0.489    0.569    0.675      59
    1 variant          0.1028   23.146    0.683    0.236    0.717    0.930    0.702    0.400    0.735      94
    4 variants         0.1071   23.028    0.675    0.249    0.595    0.940    0.680    0.544    0.747      93
    gradient           0.1160   21.889    0.638    0.207    0.513    0.903    0.696    0.685    0.654      98
    three scales       0.0991   23.661    0.685    0.299    0.843    0.925    0.613    0.680    0.818     128
"""

import argparse
import contextlib
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.training import scale_phases
from stages.augment import augment
from stages.convert import convert
from stages.evaluate import TakeFiles, evaluate
from stages.params import Params, Train, read_params
from stages.release import Release
from stages.train import train

TAKE = "demo"

# Changes of `train`, of its losses, of `augment`, and of what stands above all of them, by name.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    "another seed": {"top": {"seed": 2}},
    "no mask head": {"losses": {"mask": 0.0}},
    "dssim alone": {"losses": {"l1": 0.0}},
    "l1 alone": {"losses": {"dssim": 0.0}},
    "three scales": {"losses": {"dssim": 0.0, "ms_dssim": 1.0}},
    "gradient": {"losses": {"gradient": 3.0}},
    "adversarial": {"losses": {"adversarial": 0.05}},
    "no noise": {"train": {"code_noise": 0.0}},
    "no mixed codes": {"train": {"code_mix": 0.0}},
    "no emphasis": {"train": {"emphasis": 1.0}},
    "no balance": {"train": {"balance": 1}},
    "flip": {"train": {"flip": True}},
    "tiny": {"train": {"size": "tiny"}},
    "base": {"train": {"size": "base"}},
    "adamw": {"train": {"optimizer": "adamw"}},
    "df small": {"train": {"arch": "df", "size": "small"}},
    "liae small": {"train": {"arch": "liae", "size": "small"}},
    "1 variant": {"augment": {"variants": 1}},
    "4 variants": {"augment": {"variants": 4}},
    "16 variants": {"augment": {"variants": 16}},
}
FIGURES = {
    "psnr": "swap_psnr_db",
    "ssim": "swap_ssim",
    "sharp": "sharpness_ratio",
    "mouth": "mouth_corr",
    "eyes": "eye_corr",
    "gaze": "gaze_corr",
    "brows": "brow_corr",
    "flicker": "flicker_ratio",
}


def change_params(params: Params, changes: dict[str, dict[str, Any]], n_steps: int) -> Train:
    """The params of `train` with a recipe's changes, their phases in proportion, `n_steps` in all."""
    values = params.train.model_dump() | changes.get("train", {})
    for phase in values["phases"]:
        phase["losses"] |= changes.get("losses", {})
    return scale_phases(Train.model_validate(values), n_steps)


def make_sets(params: Params, changes: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Both identities' augmented sets: the checkout's own, or others where a recipe asks for them."""
    pair = params.pairs[params.takes[TAKE].pair]
    identities = {"source": pair.source, "target": pair.target}
    if not changes:
        return {role: Path("data/augment") / name for role, name in identities.items()}
    changed = params.augment.model_copy(update=changes)
    for name in identities.values():
        augment(Path("data/align") / name / "faceset", folder / "augment" / name, changed, params.seed)
    return {role: folder / "augment" / name for role, name in identities.items()}


def run_recipe(params: Params, changes: dict[str, dict[str, Any]], folder: Path, n_steps: int) -> dict[str, float]:
    """Train, convert and evaluate; the figures, and the seconds that training took. What is known is read."""
    known = folder / "figures.json"
    if known.exists():
        return dict(json.loads(known.read_text()))
    params = params.model_copy(update=changes.get("top", {}))
    sets = make_sets(params, changes.get("augment", {}), folder)
    began = time.perf_counter()
    train(
        source=sets["source"],
        target=sets["target"],
        output=folder / "train",
        metrics=folder / "train.json",
        curve=folder / "loss.csv",
        strip=folder / "strip.png",
        state=folder / "state",
        work=folder / "work",
        params=change_params(params, changes, n_steps),
        coverage_ratio=params.augment.coverage_ratio,
        crop_px=params.align.crop_px,
        seed=params.seed,
    )
    seconds = time.perf_counter() - began
    _swap(params, folder)
    figures: dict[str, float] = json.loads((folder / "evaluate.json").read_text()) | {"train_s": seconds}
    known.write_text(json.dumps(figures))
    return figures


def _swap(params: Params, folder: Path) -> None:
    take = params.takes[TAKE]
    files = replace(
        TakeFiles.of(TAKE, take.clip, take.pair, take.target),
        checkpoint=folder / "train/checkpoint.safetensors",
        previews=folder / "train/previews",
        loss=folder / "loss.csv",
        strip=folder / "strip.png",
        train_metrics=folder / "train.json",
        swap=folder / "swap.mp4",
        conversions=folder / "swap.parquet",
    )
    convert(
        clip=files.clip,
        parts=files.parts,
        tracks=files.tracks,
        checkpoint=files.checkpoint,
        video=files.swap,
        record=files.conversions,
        params=params.convert,
        blend=take.blend,
        release=Release(take=TAKE, purpose=take.purpose, parts={take.target: files.parts}, consent={}),
    )
    report = folder / "report"
    evaluate(files, take.truth, params.evaluate, folder / "evaluate.json", folder / "frames.csv", report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--only", nargs="*", default=list(RECIPES), choices=list(RECIPES), metavar="NAME")
    arguments = parser.parse_args()
    params = read_params()
    print(f"{'recipe':16}{'held-out':>9}" + "".join(f"{name:>9}" for name in FIGURES) + f"{'s':>8}")
    for name in arguments.only:
        folder = arguments.folder / f"{name.replace(' ', '-')}-{arguments.steps}"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = run_recipe(params, RECIPES[name], folder, arguments.steps)
        row = "".join(f"{found[figure]:9.3f}" for figure in FIGURES.values())
        print(f"{name:16}{found['heldout_dssim_source']:9.4f}{row}{found['train_s']:8.0f}", flush=True)


if __name__ == "__main__":
    main()

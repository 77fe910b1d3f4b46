"""What each figure of a take says, in words for a person who sees it for the first time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

CLOSE, LOOSE = 0.8, 0.5  # correlations from which a curve follows another closely, loosely
Figures = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Word:
    """How a figure is written (a format) and what it says."""

    form: str
    says: str


_PSNR = (
    "Peak signal to noise ratio, dB, over the pixels that show the face in both; 3 dB more is half the squared error."
)
_HELD_OUT = "(1 - SSIM) / 2 inside the face, on faces that the model never saw; 0 is perfect."
_STILL = "The same for the mean training face, a still. The model must be lower."
WORDS = {
    "n_frames": Word("d", "Frames in the clip; all of them are in the result."),
    "n_swapped": Word("d", "Frames whose face was replaced. The others stand as they were in the clip."),
    "swap_psnr_db": Word(".2f", f"The result against the truth. {_PSNR}"),
    "unswapped_psnr_db": Word(".2f", "The clip as it was against the truth: doing nothing. The swap must be higher."),
    "floor_psnr_db": Word(".2f", "The source's mean face, a still, pasted on. The swap must be higher."),
    "eyes_psnr_db": Word(".2f", "The result against the truth around the eyes alone."),
    "brows_psnr_db": Word(".2f", "The same around the brows."),
    "mouth_psnr_db": Word(".2f", "The same around the mouth."),
    "swap_ssim": Word(".3f", "Likeness of structure between the result and the truth; 1 is equal."),
    "unswapped_ssim": Word(".3f", "The same for the clip as it was."),
    "sharpness_ratio": Word(".2f", "Fine detail in the result / in the truth. 1: as sharp; below 0.5 it is blurred."),
    "mouth_corr": Word(".2f", "Whether the mouth opens and closes as in the truth; 1: in step, 0: not at all."),
    "eye_corr": Word(".2f", "Whether the eyes open and close as in the truth; blinks show here."),
    "gaze_corr": Word(".2f", "Whether the eyes look to the side as in the truth, where they are open."),
    "brow_corr": Word(".2f", "Whether the brows rise and fall as in the truth."),
    "mouth_corr_to_target": Word(".2f", "Whether the mouth opens and closes as in the clip that went in; 1: in step."),
    "eye_corr_to_target": Word(".2f", "Whether the eyes open and close as in the clip that went in."),
    "gaze_corr_to_target": Word(".2f", "Whether the eyes look to the side as in the clip that went in."),
    "brow_corr_to_target": Word(".2f", "Whether the brows rise and fall as in the clip that went in."),
    "flicker_ratio": Word(".2f", "Trembling from frame to frame, result / clip. 1: as calm; well above: it flickers."),
    "heldout_dssim_source": Word(".4f", f"The source's faces restored: {_HELD_OUT}"),
    "floor_heldout_dssim_source": Word(".4f", _STILL),
    "heldout_dssim_target": Word(".4f", f"The target's faces restored: {_HELD_OUT}"),
    "floor_heldout_dssim_target": Word(".4f", _STILL),
}  # fmt: skip


def format_figure(name: str, value: float | int | None) -> str:
    """A figure as it is shown; "-" for one that is unknown."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:{WORDS[name].form}}"


def sum_up(figures: Figures) -> list[str]:
    """The verdict in a few sentences, from the figures that are known."""
    sentences = [f"{figures['n_swapped']} of {figures['n_frames']} frames carry the source's face."]
    swap, unswapped, floor = (figures.get(f"{name}_psnr_db") for name in ("swap", "unswapped", "floor"))
    if swap is not None and unswapped is not None and floor is not None:
        sentences.append(
            f"Against the truth the swap is {_compare(swap - unswapped)} the clip as it was, "
            f"and {_compare(swap - floor)} a pasted still of the source's mean face."
        )
    ending, reference = ("", "the truth") if "mouth_corr" in figures else ("_to_target", "the clip that went in")
    mouth, eyes = figures.get(f"mouth_corr{ending}"), figures.get(f"eye_corr{ending}")
    if mouth is not None and eyes is not None:
        sentences.append(f"The mouth follows {reference} {_how(mouth)}, the eyes {_how(eyes)}.")
    return sentences


def _compare(difference_db: float) -> str:
    return f"{abs(difference_db):.1f} dB {'nearer than' if difference_db > 0 else 'farther off than'}"


def _how(correlation: float) -> str:
    word = "closely" if correlation >= CLOSE else "loosely" if correlation >= LOOSE else "hardly or not at all"
    return f"{word} ({correlation:.2f})"

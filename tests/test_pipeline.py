"""What runs again after which change: DVC on the real dvc.yaml, with fakes that write what their stages declare."""

import pytest

from tests.imports import MODULES, ROOT, UNTRACKED, reach
from tests.project import FAKED, Project

BOTH = ["train@ben_as_ada", "convert@demo", "evaluate@demo"]
KEYS = {"train": ["ben_as_ada"], "convert": ["demo"], "evaluate": ["demo"]}


def _runs_of(stages: list[str]) -> list[str]:
    return [f"{stage}@{key}" for stage in stages for key in KEYS.get(stage, ["ada", "ben"])]


def test_a_changed_param_of_convert_runs_convert_and_evaluate_only(project: Project) -> None:
    project.change(lambda values: values["convert"].update(batch_frames=7))
    assert project.repro() == ["convert@demo", "evaluate@demo"]


@pytest.mark.heavy
def test_a_changed_interval_runs_that_persons_sample_and_align_and_what_follows_but_no_detection(
    project: Project,
) -> None:
    before = (project.root / "params.yaml").read_text()
    project.change(lambda values: values["identities"]["ada"].update(interval_s=3.5))
    assert project.repro() == ["sample@ada", "align@ada", "compare@ben_as_ada", "augment@ada", *BOTH]
    project.write("params.yaml", before)
    assert project.repro() == []  # known from before: restored


@pytest.mark.heavy
def test_a_decision_by_hand_runs_that_persons_align_and_what_follows(project: Project) -> None:
    with (project.root / "edits/ben/tracks.csv").open("a") as file:
        file.write("00,0,10,5,5,use\n")
    assert project.repro() == ["align@ben", "compare@ben_as_ada", "augment@ben", *BOTH]


@pytest.mark.heavy
@pytest.mark.parametrize("module", ["vision.masks", "trust.publish"])
def test_a_changed_line_of_code_runs_exactly_the_stages_that_import_it(project: Project, module: str) -> None:
    importers = [stage for stage in FAKED if module in reach(f"stages.{stage}", beyond=UNTRACKED)]
    assert 0 < len(importers) < len(FAKED)
    for changed in (module, "stages.params"):  # every stage imports the latter; DVC tracks the values that it reads
        path = project.root / MODULES[changed].relative_to(ROOT)
        path.write_text(path.read_text() + "\n# one more line\n")
    assert sorted(project.repro()) == sorted(_runs_of(importers))


@pytest.mark.heavy
def test_one_more_take_of_a_known_clip_runs_its_convert_and_evaluate_only(project: Project) -> None:
    project.add("takes", "second", like="demo")
    assert project.repro() == ["convert@second", "evaluate@second"]


@pytest.mark.heavy
def test_a_second_clip_that_feeds_no_face_set_is_one_more_take_and_no_training(project: Project) -> None:
    project.change(lambda values: values["identities"]["ada"].update(faceset=["take1.mp4"]))
    project.repro()
    project.write("clips/ada/take2.mp4", "frames of another performance")
    project.add("takes", "second", like="demo", clip="clips/ada/take2.mp4")
    runs = project.repro()
    assert [run for run in runs if run.startswith(("augment", "train"))] == []
    assert {"sample@ada", "detect@ada", "align@ada", "convert@second", "evaluate@second"} <= set(runs)
    assert not [run for run in runs if run.endswith("@ben")]


@pytest.mark.heavy
def test_one_more_person_and_pair_runs_their_stages_only(project: Project) -> None:
    project.write("clips/eve/take1.mp4", "frames of eve")
    project.add("identities", "eve", like="ada", clips="clips/eve", consent="unverified")
    project.add("pairs", "eve_as_ada", like="ben_as_ada", source="eve")
    made = ["sample@eve", "detect@eve", "align@eve", "compare@eve_as_ada", "augment@eve", "train@eve_as_ada"]
    assert project.repro() == made
    assert (project.root / "edits/eve/tracks.csv").read_text() == "clip_sha256,first_frame,end_frame,x,y,decision\n"

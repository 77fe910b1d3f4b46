"""The autoencoder: shapes, seeds, roles, and a checkpoint that gives back the same pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from errors import CheckpointError
from models.arch.compact import find_stride
from models.autoencoder import Autoencoder, build_autoencoder
from models.checkpoint import FORMAT, Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint
from models.expression import N_FEATURES
from models.roles import ROLES, Role
from models.sizes import SCALES
from models.table import count_flops, list_rows
from vision.expression import EXPRESSION
from vision.light import LIGHT_PX

UNKNOWN = np.full((2, len(EXPRESSION)), np.nan, np.float32)


def restore_both(model: Autoencoder, source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both roles' faces restored, in one pass, with nothing told of their expressions."""
    given: dict[Role, torch.Tensor] = {"source": source, "target": target}
    restored = model(given, {role: torch.zeros(len(face), N_FEATURES) for role, face in given.items()})
    return restored["source"], restored["target"]


def faces(n: int, size: int) -> torch.Tensor:
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("arch", "size", "n_channels"),
    [
        ("compact", 32, 4),
        ("compact", 96, 4),
        ("compact", 192, 4),
        ("compact", 256, 4),
        ("df", 64, 4),
        ("liae", 64, 4),
        ("original", 64, 3),
    ],
)
def test_pictures_have_the_shape_and_range_of_faces(arch: str, size: int, n_channels: int) -> None:
    model = build_autoencoder(arch, size, "tiny", seed=1)
    source, target = restore_both(model, faces(2, size), faces(3, size))
    assert source.shape == (2, n_channels, size, size)
    assert target.shape == (3, n_channels, size, size)
    assert 0 <= source.min() < source.max() <= 1


def test_large_pictures_are_drawn_from_a_map_of_64_pixels_or_more() -> None:
    strides = {size: find_stride(size) for size in range(32, 513, 16)}
    assert {size: strides[size] for size in (64, 128, 160, 192, 240, 256, 384, 512)} == {
        64: 2, 128: 2, 160: 2, 192: 3, 240: 3, 256: 4, 384: 4, 512: 4,
    }  # fmt: skip
    assert all(size % (8 * stride) == 0 for size, stride in strides.items())
    assert all(size / stride >= 64 for size, stride in strides.items() if stride > 2)


def test_a_picture_of_192_pixels_takes_hardly_more_work_than_one_of_128() -> None:
    with torch.device("meta"):
        small, large = (count_flops(build_autoencoder("compact", size, "small", seed=1), size) for size in (128, 192))
    assert large < 1.15 * small


@pytest.mark.parametrize("arch", ["compact", "df", "liae"])
def test_the_roles_share_the_encoder_and_nothing_else_that_would_make_them_alike(arch: str) -> None:
    model = build_autoencoder(arch, 32, "tiny", seed=1).eval()
    face = faces(2, 32)
    assert not torch.equal(*restore_both(model, face, face))
    model.decode(model.encoder(face), torch.zeros(2, N_FEATURES), "source").sum().backward()  # type: ignore[no-untyped-call]
    learns = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert not {name for name in learns if ".own.target" in name}
    assert any(name.startswith("encoder.") for name in learns)


def test_the_roles_of_compact_share_the_upscales_of_the_two_coarsest_maps() -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    kernels = {name: part for name, part in model.decoder.named_parameters() if part.ndim == 4}
    widths = sorted({part.shape[1] for part in kernels.values()})
    assert {name.split(".")[0] for name, part in kernels.items() if part.shape[1] in widths[-2:]} == {"inter"}
    changed: dict[str, dict[Role, torch.Tensor]] = {}
    for part in ("inter", "own.source"):
        model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
        before = dict(zip(ROLES, restore_both(model, faces(2, 32), faces(2, 32)), strict=True))
        with torch.no_grad():
            for name, weights in model.decoder.named_parameters():
                if name.startswith(part) and weights.ndim == 4:
                    weights.mul_(1.5)
        after = dict(zip(ROLES, restore_both(model, faces(2, 32), faces(2, 32)), strict=True))
        changed[part] = {role: (after[role] - before[role]).abs().max() for role in ROLES}
    assert all(change > 0 for change in changed["inter"].values())
    assert changed["own.source"]["source"] > 0 == changed["own.source"]["target"]


def test_liae_decodes_the_source_from_what_both_share_alone() -> None:
    model = build_autoencoder("liae", 32, "tiny", seed=1).eval()
    codes = model.encoder(faces(2, 32))
    changed = torch.cat([codes[:, : codes.shape[1] // 2], torch.zeros_like(codes[:, codes.shape[1] // 2 :])], 1)
    nothing = torch.zeros(2, N_FEATURES)
    assert torch.equal(model.decode(codes, nothing, "source"), model.decode(changed, nothing, "source"))
    assert not torch.equal(model.decode(codes, nothing, "target"), model.decode(changed, nothing, "target"))


def test_noise_is_added_to_the_codes_in_the_deviations_of_each_of_their_numbers() -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    shown: dict[Role, torch.Tensor] = {role: faces(4, 32) for role in ROLES}
    features: dict[Role, torch.Tensor] = dict.fromkeys(ROLES, torch.zeros(4, N_FEATURES))
    noise: dict[Role, torch.Tensor] = {role: torch.randn(4, model.n_code) for role in ROLES}
    found, plain = model(shown, features, noise), model(shown, features)
    for role in ROLES:
        codes = model.encoder(shown[role])
        wanted = model.decode(codes + noise[role] * codes.std(0, correction=0), features[role], role)
        torch.testing.assert_close(found[role], wanted)
        assert not torch.allclose(found[role], plain[role])


def test_codes_of_the_source_are_moved_toward_those_of_their_partners_by_their_shares() -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    shown: dict[Role, torch.Tensor] = {role: faces(3, 32) for role in ROLES}
    partners, shares = faces(3, 32).flip(0), torch.tensor([[0.0], [0.5], [1.0]])
    features: dict[Role, torch.Tensor] = dict.fromkeys(ROLES, torch.zeros(3, N_FEATURES))
    found, plain = model(shown, features, partners=(partners, shares)), model(shown, features)
    torch.testing.assert_close(found["target"], plain["target"])
    codes = model.encoder(shown["source"]) * (1 - shares) + model.encoder(partners) * shares
    torch.testing.assert_close(found["source"], model.decode(codes, features["source"], "source"))
    assert not torch.allclose(found["source"][1:], plain["source"][1:])


@pytest.mark.parametrize("is_low", [False, True])
def test_partners_teach_the_encoder_nothing_and_leave_what_it_learns_from_others(is_low: bool) -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1)
    shown: dict[Role, torch.Tensor] = {role: faces(3, 32) for role in ROLES}
    features: dict[Role, torch.Tensor] = dict.fromkeys(ROLES, torch.zeros(3, N_FEATURES))
    learnt = []
    for share in (0.0, 1.0):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_low):
            made = model(shown, features, partners=(faces(3, 32).flip(0), torch.full((3, 1), share)))["source"]
        made.sum().backward()
        gradients = [weights.grad for weights in model.encoder.parameters()]
        learnt.append(max(float(gradient.abs().max()) for gradient in gradients if gradient is not None))
    assert learnt[0] > 0
    assert learnt[1] == 0


@pytest.mark.parametrize(("arch", "is_told"), [("compact", True), ("df", False), ("original", False)])
def test_only_a_decoder_that_is_told_the_expression_reads_it(arch: str, is_told: bool) -> None:
    model = build_autoencoder(arch, 64, "tiny", seed=1).eval()
    codes = model.encoder(faces(1, 64))
    told = (model.decode(codes, torch.full((1, N_FEATURES), value), "source") for value in (0.0, 1.0))
    assert torch.equal(*told) != is_told


@pytest.mark.parametrize("arch", ["compact", "df", "liae", "original"])
def test_a_larger_size_has_more_parameters_and_more_work(arch: str) -> None:
    counts, flops = [], []
    for size in SCALES:
        with torch.device("meta"):
            model = build_autoencoder(arch, 64, size, seed=1)
            flops.append(count_flops(model, 64))
        counts.append(sum(p.numel() for p in model.parameters()))
    assert counts == sorted(set(counts))
    assert flops == sorted(set(flops))


def test_flops_are_those_of_the_layers_counted_by_hand() -> None:
    with torch.device("meta"):
        model = build_autoencoder("original", 64, "base", seed=1)
        found = count_flops(model, 64)
    encoder = 25 * (32**2 * 3 * 128 + 16**2 * 128 * 256 + 8**2 * 256 * 512 + 4**2 * 512 * 1024) + 16384 * 1024
    inter = 1024 * 16384 + 9 * 4**2 * 1024 * 2048
    decoder = 9 * (8**2 * 512 * 1024 + 16**2 * 256 * 512 + 32**2 * 128 * 256) + 25 * 64**2 * 64 * 3
    assert found == 2 * (encoder + inter + decoder)


@pytest.mark.heavy
def test_the_table_names_every_architecture_in_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.table.SECONDS", 0.0)
    monkeypatch.setattr("models.table.SCALES", {"tiny": 0.25, "small": 0.5})
    head, *rows = list_rows(["compact", "original"], 32, 1, "float32")
    assert head.split() == ["arch", "size", "px", "parameters", "GFLOPs/face", "faces/s"]
    named = [row.split()[:3] for row in rows]
    assert named == [
        [arch, size, px] for arch, px in (("compact", "32"), ("original", "64")) for size in ("tiny", "small")
    ]
    assert all(float(row.split()[-1]) > 0 for row in rows)


def test_the_classic_list_has_its_82_million_parameters() -> None:
    with torch.device("meta"):
        model = build_autoencoder("original", 64, "base", seed=1)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(82.1, abs=0.1)


def test_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (build_autoencoder("compact", 32, "tiny", seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_each_role_has_a_decoder_of_its_own_behind_one_encoder() -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    face = faces(2, 32)
    source, target = restore_both(model, face, face)
    assert not torch.equal(source, target)
    torch.testing.assert_close(model.restore(face, UNKNOWN, "source"), source)


def make_checkpoint() -> Checkpoint:
    info = CheckpointInfo("compact", 32, "tiny", 0.75, 128, 1)
    mean = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)
    model = build_autoencoder("compact", 32, "tiny", 1).eval()
    light = np.linspace(-1, 1, LIGHT_PX * LIGHT_PX * 3, dtype=np.float32).reshape(LIGHT_PX, LIGHT_PX, 3)
    return Checkpoint(model, info, {"source": mean, "target": 255 - mean}, {"source": light, "target": -light})


def test_a_checkpoint_gives_back_model_info_mean_faces_and_lights(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.info == checkpoint.info
    assert np.array_equal(loaded.mean_faces["target"], checkpoint.mean_faces["target"])
    assert np.array_equal(loaded.lights["target"], checkpoint.lights["target"])
    face = faces(2, 32)
    assert torch.equal(loaded.model.restore(face, UNKNOWN, "source"), checkpoint.model.restore(face, UNKNOWN, "source"))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for n in range(8):
        save_checkpoint(tmp_path / f"{n}.safetensors", make_checkpoint())
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_damaged_or_foreign_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    good = tmp_path / "c.safetensors"
    save_checkpoint(good, make_checkpoint())
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-100])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    for path in (cut, foreign, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match=path.name):
            load_checkpoint(path)


def test_a_checkpoint_of_an_older_format_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, make_checkpoint())
    path.write_bytes(path.read_bytes().replace(FORMAT.encode(), b"understudy-4"))
    with pytest.raises(CheckpointError, match=f"c.safetensors: is no checkpoint of this project's format {FORMAT}"):
        load_checkpoint(path)

"""Random geometry: keyed, shared by input and face, and gentle."""

import pytest
import torch
from torch.nn import functional

from models.share import Share
from models.warp import _make_field, _make_grid, cut_views, draw_views, keyed_generator

RATIO = 0.8


def stored(n: int = 2, side: int = 80) -> torch.Tensor:
    """Smooth pictures whose first two channels are x and y in [0, 1]; four channels."""
    line = (torch.arange(side) + 0.5) / side
    x, y = line.expand(side, side), line[:, None].expand(side, side)
    return torch.stack([x, y, x * y, torch.ones_like(x)]).expand(n, -1, -1, -1).contiguous()


def test_the_same_key_draws_the_same_and_another_does_not() -> None:
    draws = [draw_views(stored(), RATIO, 64, 1.0, False, keyed_generator(*key)) for key in ((1, 5), (1, 5), (1, 6))]
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])
    assert not torch.equal(draws[0][1], draws[2][1])


def test_a_plain_view_is_the_middle_of_what_is_stored() -> None:
    view = cut_views(stored(), RATIO, 64)
    torch.testing.assert_close(view[0, 0, 0], 0.1 + RATIO * (torch.arange(64) + 0.5) / 64, atol=1e-5, rtol=0)


def test_without_warp_input_and_face_are_the_same() -> None:
    warped, face, _ = draw_views(stored(), RATIO, 64, 0.0, False, keyed_generator(1))
    assert torch.equal(warped, face[:, :3])


def test_the_warp_moves_the_input_by_a_few_percent_of_the_view() -> None:
    warped, face, _ = draw_views(stored(64), RATIO, 64, 1.0, False, keyed_generator(3))
    moved = ((warped[:, :2] - face[:, :2]) / RATIO).abs()
    assert 0.01 < moved.mean() < 0.04
    assert moved.max() < 0.2
    assert warped.shape == (64, 3, 64, 64)


def test_the_face_to_be_restored_stays_where_it_is_aligned_whatever_the_warp() -> None:
    plain = cut_views(stored(64), RATIO, 64)
    _, face, _ = draw_views(stored(64), RATIO, 64, 1.5, False, keyed_generator(3))
    assert ((face[:, :2] - plain[:, :2]).abs() / RATIO).max() < 0.03


def test_the_input_as_a_whole_is_moved_besides_being_warped() -> None:
    warped, face, _ = draw_views(stored(64), RATIO, 64, 1.0, False, keyed_generator(3))
    shift = ((warped[:, :2] - face[:, :2]) / RATIO).mean((2, 3))
    assert 0.012 < shift.std() < 0.04


def test_moves_stay_within_the_margin_for_nearly_all_of_the_view() -> None:
    _, face, _ = draw_views(stored(64), RATIO, 64, 1.0, False, keyed_generator(4))
    on_border = (face[:, :2] < 0.01) | (face[:, :2] > 0.99)
    assert on_border.float().mean() < 0.02


def test_flip_mirrors_about_half_of_the_faces_and_none_without() -> None:
    for flip, low, high in ((False, 0.0, 0.0), (True, 0.3, 0.7)):
        _, face, _ = draw_views(stored(128), RATIO, 64, 0.0, flip, keyed_generator(5))
        share = (face[:, 0, :, 0].mean(1) > face[:, 0, :, -1].mean(1)).float().mean()
        assert low <= share <= high


@pytest.mark.parametrize("warp", [0.0, 1.0])
def test_shares_of_a_batch_are_together_what_the_whole_would_be(warp: float) -> None:
    faces = stored(6) + torch.linspace(0, 0.1, 6)[:, None, None, None]
    whole = draw_views(faces, RATIO, 64, warp, True, keyed_generator(7))
    for rank in range(3):
        share = Share(rank, 3)
        part = draw_views(share.take(faces), RATIO, 64, warp, True, keyed_generator(7), share)
        for own, all_of_them in zip(part, whole, strict=True):
            torch.testing.assert_close(own, share.take(all_of_them), rtol=0, atol=1e-6)


def test_it_is_told_which_faces_are_mirrored() -> None:
    _, face, is_mirrored = draw_views(stored(16), RATIO, 64, 0.0, True, keyed_generator(8))
    runs_left = face[:, 0, 32, 0] > face[:, 0, 32, -1]
    assert torch.equal(is_mirrored, runs_left)
    assert 0 < is_mirrored.sum() < 16


def test_a_move_turns_scales_and_shifts_the_whole_picture_alike() -> None:
    """Without warp the channels x and y of a moved face are affine in the pixels, by a similarity."""
    _, faces, _ = draw_views(stored(8), RATIO, 64, 0.0, False, keyed_generator(7))
    line = (torch.arange(64) + 0.5) / 64 * 2 - 1
    pixels = torch.stack([torch.ones(64, 64), line.expand(64, 64), line[:, None].expand(64, 64)], -1).reshape(-1, 3)
    for face in faces:
        places = face[:2].flatten(1).T * 2 - 1
        move = torch.linalg.lstsq(pixels, places).solution
        torch.testing.assert_close(places, pixels @ move, atol=2e-3, rtol=0)
        _, across, down = move
        torch.testing.assert_close(across, torch.stack([down[1], -down[0]]), atol=1e-3, rtol=0)
        assert 0.98 < across.norm() / RATIO < 1.02
        assert 0.001 < across[1].abs() / RATIO < 0.031


def test_grids_and_fields_are_those_of_torchs_slower_functions() -> None:
    affine, knots = (torch.randn(3, 2, *shape, generator=keyed_generator(1)) for shape in ((3,), (5, 5)))
    grid, field = _make_grid(affine, 48, affine.device), _make_field(knots, 48, knots.device)
    wanted = functional.affine_grid(affine, [3, 1, 48, 48], align_corners=False)
    torch.testing.assert_close(grid, wanted.permute(0, 3, 1, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(field, functional.interpolate(knots, (48, 48), mode="bicubic", align_corners=True))

"""The optimizers: Muon evens a kernel's update, leaves the rest to AdamW, and is told its rate as AdamW is."""

from copy import deepcopy

import torch
from torch import nn
from torch.optim import AdamW

from models.optimizer import make_even, make_optimizer

RATE = 0.002


def make_net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Flatten(), nn.Linear(16 * 64, 4))


def step(net: nn.Sequential, optimizer: AdamW) -> None:
    for group in optimizer.param_groups:
        group["lr"] = RATE
    optimizer.zero_grad()
    net(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))).square().mean().backward()
    optimizer.step()


def test_an_even_update_keeps_its_directions_and_makes_them_equally_long() -> None:
    update = torch.randn(128, 8, 3, 3, generator=torch.Generator().manual_seed(1))
    update[:64] *= 1000  # each block of 64 kernels by itself
    even, small = make_even([update, update[:8].contiguous()])
    for block, given in ((even[:64], update[:64]), (even[64:], update[64:]), (small, update[:8])):
        left, _, right = torch.linalg.svd(given.flatten(1), full_matrices=False)
        lengths = torch.diagonal(left.mT @ block.flatten(1) @ right.mT)
        assert float(lengths.min()) > 0.6
        assert float(lengths.max()) < 1.3
        torch.testing.assert_close((left * lengths) @ right, block.flatten(1), atol=1e-3, rtol=0)


def test_the_kernels_go_by_muon_and_the_rest_by_adamw() -> None:
    net, other = make_net(), make_net()
    before = [weights.detach().clone() for weights in net.parameters()]
    step(net, make_optimizer("muon", net, 0.0))
    step(other, make_optimizer("adamw", other, 0.0))
    kernel, *rest = net.parameters()
    of_other, *same = other.parameters()
    assert all(torch.equal(mine, its) for mine, its in zip(rest, same, strict=True))
    assert not torch.equal(kernel, of_other)
    lengths = torch.linalg.svdvals((kernel.detach() - before[0]).flatten(1))
    assert float(lengths.min()) > 0.5 * 4 * RATE
    assert float(lengths.max()) < 1.3 * 4 * RATE


def test_kernels_decay_by_the_rate_and_lean_toward_the_gradients_before() -> None:
    net = nn.Conv2d(3, 16, 3)
    kernel = net.weight
    optimizer = make_optimizer("muon", net, 0.1)
    for group in optimizer.param_groups:
        group["lr"] = RATE
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(kernel.shape, generator=generator) for _ in range(2))
    for gradient in (first, second):
        before, kernel.grad = kernel.detach().clone(), gradient
        optimizer.step()
    momentum = 0.95 * 0.05 * first + 0.05 * second
    (update,) = make_even([0.05 * second + 0.95 * momentum])
    torch.testing.assert_close(kernel.detach(), before * (1 - 0.1 * RATE) - 4 * RATE * update, rtol=0, atol=1e-6)


def test_an_optimizer_that_was_stored_goes_on_bit_for_bit() -> None:
    net, again = make_net(), make_net()
    optimizer, second = make_optimizer("muon", net, 0.01), make_optimizer("muon", again, 0.01)
    step(net, optimizer)
    again.load_state_dict(net.state_dict())
    second.load_state_dict(deepcopy(optimizer.state_dict()))
    step(net, optimizer)
    step(again, second)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))

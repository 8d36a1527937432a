"""The theory of the losses, on cases where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from engine.core.errors import OptionError
from engine.models.vae import reparameterise
from training.losses import (
    bernoulli_reconstruction,
    discriminator_loss,
    generator_loss,
    kl_to_standard_normal,
)

DATA_COUNTS = torch.tensor([1, 2, 6, 1, 0])
MODEL_COUNTS = torch.tensor([4, 1, 2, 1, 2])


def optimal_table() -> tuple[torch.Tensor, float]:
    """A table of logits, one a state, trained with the discriminator's loss; and that loss."""
    table = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    real = torch.repeat_interleave(torch.arange(5), DATA_COUNTS)
    fake = torch.repeat_interleave(torch.arange(5), MODEL_COUNTS)
    optimizer = torch.optim.LBFGS([table], lr=1.0, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = discriminator_loss(table[real], table[fake])
        loss.backward()
        return loss

    optimizer.step(closure)
    return torch.sigmoid(table.detach()), closure().item()


def test_training_a_table_reaches_the_optimal_discriminator():
    p_data, p_model = DATA_COUNTS / 10, MODEL_COUNTS / 10
    found, _ = optimal_table()
    torch.testing.assert_close(found, (p_data / (p_data + p_model)).double(), rtol=0, atol=2e-4)


def test_loss_at_the_optimum_is_log_4_less_twice_jensen_shannon():
    p, q = (DATA_COUNTS / 10).double(), (MODEL_COUNTS / 10).double()
    middle = (p + q) / 2
    divergence = (
        0.5 * (torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)).sum()
    )
    _, loss = optimal_table()
    assert loss == pytest.approx(math.log(4) - 2 * float(divergence), abs=1e-4)


def test_equal_distributions_leave_the_discriminator_at_one_half():
    same = torch.zeros(6, dtype=torch.float64)
    assert float(discriminator_loss(same, same)) == pytest.approx(math.log(4), abs=1e-12)


def test_label_smoothing_moves_the_optimum_on_real_images():
    logit = torch.tensor([math.log(0.9 / 0.1)], dtype=torch.float64, requires_grad=True)
    nothing = torch.full((1,), -60.0, dtype=torch.float64)
    discriminator_loss(logit, nothing, smoothing=0.1).backward()
    assert float(logit.grad) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("probability", [0.001, 0.5, 0.9])
def test_generator_gradients_follow_their_formulas(probability):
    logit = math.log(probability / (1 - probability))
    gradients = {}
    for kind in ("non-saturating", "minimax"):
        fake = torch.full((4,), logit, dtype=torch.float64, requires_grad=True)
        generator_loss(fake, kind).backward()
        gradients[kind] = fake.grad
    # Both push the logit up; minimax vanishes where the discriminator wins (D -> 0).
    expected = torch.full((4,), 0.25, dtype=torch.float64)
    torch.testing.assert_close(gradients["non-saturating"], -expected * (1 - probability))
    torch.testing.assert_close(gradients["minimax"], -expected * probability)


def test_losses_stay_finite_at_extreme_logits():
    extreme = torch.tensor([-1e4, 1e4])
    assert torch.isfinite(discriminator_loss(extreme, extreme))
    assert torch.isfinite(generator_loss(extreme))
    assert torch.isfinite(generator_loss(extreme, "minimax"))


def test_unknown_generator_loss_is_refused_with_the_list():
    with pytest.raises(OptionError, match=r"'hinge'.*non-saturating, minimax"):
        generator_loss(torch.zeros(1), "hinge")


@pytest.mark.parametrize(("mean", "logvar"), [(0.0, 0.0), (1.3, -0.7), (-2.0, 1.1)])
def test_kl_equals_numerical_integration(mean, logvar):
    z = torch.linspace(-30, 30, 200_001, dtype=torch.float64)
    deviation = math.exp(logvar / 2)
    log_q = -0.5 * ((z - mean) / deviation) ** 2 - math.log(deviation) - 0.5 * math.log(2 * math.pi)
    log_p = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    integral = torch.trapezoid(log_q.exp() * (log_q - log_p), z)
    found = kl_to_standard_normal(
        torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[logvar]], dtype=torch.float64)
    )
    assert float(found[0]) == pytest.approx(float(integral), abs=1e-9)


def test_kl_sums_over_latents_and_keeps_the_batch():
    mean = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    found = kl_to_standard_normal(mean, torch.zeros(2, 2))
    assert found.tolist() == [2.5, 0.0]


def linear_gaussian_elbo(x: float, mean: torch.Tensor, logvar: torch.Tensor) -> float:
    """ELBO of z ~ N(0, 1), x | z ~ N(WEIGHT z, NOISE) under q(z) = N(mean, exp(logvar))."""
    expected_square = (x - WEIGHT * mean) ** 2 + WEIGHT**2 * logvar.exp()
    log_likelihood = -0.5 * math.log(2 * math.pi * NOISE) - expected_square / (2 * NOISE)
    return float(log_likelihood - kl_to_standard_normal(mean, logvar))


WEIGHT, NOISE, X = 1.5, 0.4, 0.8
TOTAL = WEIGHT**2 + NOISE
LOG_EVIDENCE = -0.5 * math.log(2 * math.pi * TOTAL) - X**2 / (2 * TOTAL)
POSTERIOR = (WEIGHT * X / TOTAL, math.log(NOISE / TOTAL))


def test_elbo_is_the_log_evidence_at_the_true_posterior():
    mean, logvar = (torch.tensor([[value]], dtype=torch.float64) for value in POSTERIOR)
    assert linear_gaussian_elbo(X, mean, logvar) == pytest.approx(LOG_EVIDENCE, abs=1e-12)


@pytest.mark.parametrize(("shift", "stretch"), [(0.5, 0.0), (0.0, 0.8), (-0.3, -1.0)])
def test_elbo_stays_below_the_log_evidence_by_the_kl_to_the_posterior(shift, stretch):
    mean = torch.tensor([[POSTERIOR[0] + shift]], dtype=torch.float64)
    logvar = torch.tensor([[POSTERIOR[1] + stretch]], dtype=torch.float64)
    variance = math.exp(POSTERIOR[1])
    gap = 0.5 * (math.exp(stretch) + shift**2 / variance - 1 - stretch)
    elbo = linear_gaussian_elbo(X, mean, logvar)
    assert elbo < LOG_EVIDENCE
    assert LOG_EVIDENCE - elbo == pytest.approx(gap, abs=1e-12)


def test_reparameterised_samples_have_the_asked_mean_and_variance():
    eps = torch.randn(200_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    z = reparameterise(torch.full_like(eps, 0.7), torch.full_like(eps, math.log(0.25)), eps)
    assert float(z.mean()) == pytest.approx(0.7, abs=5e-3)
    assert float(z.var()) == pytest.approx(0.25, abs=5e-3)


def test_bernoulli_reconstruction_is_the_negative_log_likelihood():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 1, 4, 4, dtype=torch.float64, generator=generator)
    images = torch.rand(3, 1, 4, 4, dtype=torch.float64, generator=generator)
    p = torch.sigmoid(logits)
    expected = -(images * p.log() + (1 - images) * (1 - p).log()).sum((1, 2, 3)).mean()
    torch.testing.assert_close(bernoulli_reconstruction(logits, images), expected)

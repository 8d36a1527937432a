"""Instance, group and layer norm against torch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.normalisation import group_norm, instance_norm, layer_norm

torch = pytest.importorskip("torch")
F = torch.nn.functional


def setup(*spatial: int, channels: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(len(spatial))
    x = generator.standard_normal((3, *spatial, channels)) * 2 + 1
    return x, generator.standard_normal(channels), generator.standard_normal(channels)


@pytest.mark.parametrize("spatial", [(7,), (3, 5), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_instance_norm(spatial: tuple[int, ...], epsilon: float) -> None:
    x, scale, shift = setup(*spatial)
    expected = F.instance_norm(
        torch.from_numpy(x).movedim(-1, 1),
        weight=torch.from_numpy(scale),
        bias=torch.from_numpy(shift),
        eps=epsilon,
    ).movedim(1, -1)
    out = instance_norm(x, scale, shift, epsilon)
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm(groups: int) -> None:
    x, scale, shift = setup(3, 5)
    tensors = torch.from_numpy(scale), torch.from_numpy(shift)
    expected = F.group_norm(torch.from_numpy(x).movedim(-1, 1), groups, *tensors).movedim(1, -1)
    out = group_norm(x, groups, scale, shift)
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)


def test_a_group_a_channel_is_instance_norm() -> None:
    x, scale, shift = setup(4, 4)
    expected = instance_norm(x, scale, shift)
    np.testing.assert_allclose(group_norm(x, 6, scale, shift), expected, rtol=1e-12, atol=1e-13)


def test_layer_norm() -> None:
    x, scale, shift = setup(3, 5)
    tensors = torch.from_numpy(scale), torch.from_numpy(shift)
    expected = F.layer_norm(torch.from_numpy(x), (6,), *tensors)
    np.testing.assert_allclose(layer_norm(x, scale, shift), expected, rtol=1e-11, atol=1e-12)


def test_one_position_is_the_shift() -> None:
    x, scale, shift = setup(1, 1)
    np.testing.assert_array_equal(instance_norm(x, scale, shift), np.broadcast_to(shift, x.shape))


def test_a_large_mean_does_not_cancel() -> None:
    x, _, _ = setup(8, 8)
    np.testing.assert_allclose(instance_norm(x + 1e6), instance_norm(x), rtol=1e-7, atol=1e-8)


def test_nan_stays_in_its_sample_and_channel() -> None:
    x, scale, shift = setup(3, 5)
    x[1, 2, 2, 4] = np.nan
    out = np.isnan(instance_norm(x, scale, shift))
    assert out[1, :, :, 4].all()
    assert out.sum() == 15


@pytest.mark.parametrize("shape", [(0, 3, 5, 6), (2, 0, 5, 6)], ids=["batch", "map"])
def test_empty(shape: tuple[int, ...]) -> None:
    assert instance_norm(np.empty(shape)).shape == shape


def test_refused() -> None:
    with pytest.raises(ValueError, match="groups=4 must divide the 6 channels"):
        group_norm(np.ones((1, 2, 6)), 4)
    with pytest.raises(ValueError, match=r"scale \(5,\)"):
        instance_norm(np.ones((1, 2, 6)), np.ones(5))

"""PSNR and SSIM against scikit-image's, and at their ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lp_ray.quality.reenactment import HIGHEST_PSNR, psnr, ssim
from lp_ray.quality.temporal import luma

PICTURE = skimage.data.astronaut()[:160, 100:301]


@pytest.mark.parametrize("sigma", [0.5, 2.0, 8.0])
def test_equal_to_scikit_image(sigma: float) -> None:
    """Blurred pictures of odd sides; Gaussian windows and population variances, as Wang et al. have them."""
    other = cv2.GaussianBlur(PICTURE, (0, 0), sigma)
    assert psnr(PICTURE, other) == pytest.approx(peak_signal_noise_ratio(PICTURE, other))
    theirs = structural_similarity(
        luma(PICTURE), luma(other), data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(PICTURE, other) == pytest.approx(theirs, abs=1e-6)


def test_ends() -> None:
    assert psnr(PICTURE, PICTURE) == HIGHEST_PSNR and ssim(PICTURE, PICTURE) == 1
    black, white = np.zeros_like(PICTURE), np.full_like(PICTURE, 255)
    assert psnr(black, white) == 0 and 0 <= ssim(black, white) < 1e-3
    assert ssim(PICTURE, 255 - PICTURE) < 0


def test_pictures_that_do_not_compare_are_refused() -> None:
    with pytest.raises(ValueError, match="do not compare"):
        psnr(PICTURE, PICTURE[1:])
    with pytest.raises(ValueError, match="11 x 11 pixels at least"):
        ssim(PICTURE[:10], PICTURE[:10])

"""scikit-learn under `config_context(array_api_dispatch=True)`."""

import array_api_compat
import numpy as np
import pytest

import portagrad as pg

sklearn = pytest.importorskip("sklearn", minversion="1.5")
from sklearn import metrics  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.linear_model import LinearRegression, Ridge  # noqa: E402
from sklearn.metrics import pairwise  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    StandardScaler,
    normalize,
)

POSITIVE = np.asarray([0.7, 1.9, 0.3, 2.6, 1.1])
SHARE = np.asarray([0.2, 0.5, 0.35, 0.8, 0.65])
TRUTH = np.asarray([0.5, 1.2, 0.9, 2.0, 1.4])
MATRIX = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7], [0.3, 1.1, 0.8]])
TABLE = np.abs(np.sin(np.arange(24.0).reshape(8, 3) * 1.7)) + 0.05 * np.arange(24.0).reshape(8, 3)
LABELS = np.asarray([0, 1, 1, 0, 1, 0, 0, 1])


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


def like(x, values):
    return array_api_compat.array_namespace(x).asarray(values)


def back(scaler, x):
    """What a transformation makes of the double of its result."""
    return scaler.inverse_transform(scaler.fit_transform(x) * 2)


METRICS = """
    mean_squared_error mean_absolute_error r2_score explained_variance_score
    mean_absolute_percentage_error mean_squared_log_error root_mean_squared_error
    root_mean_squared_log_error mean_pinball_loss
"""
KERNELS = """
    cosine_similarity paired_cosine_distances additive_chi2_kernel chi2_kernel
    paired_euclidean_distances paired_manhattan_distances cosine_distances euclidean_distances
    manhattan_distances linear_kernel laplacian_kernel polynomial_kernel rbf_kernel sigmoid_kernel
    pairwise_kernels pairwise_distances
"""
#: Regression metrics end in float().
LOSSES = """
    mean_squared_error mean_absolute_error r2_score explained_variance_score
    root_mean_squared_error mean_squared_log_error root_mean_squared_log_error
    mean_absolute_percentage_error max_error mean_pinball_loss median_absolute_error
    d2_absolute_error_score d2_pinball_score d2_tweedie_score mean_poisson_deviance
    mean_gamma_deviance mean_tweedie_deviance
"""
CALLS = {
    "mean_squared_error, raw values": (
        lambda x: metrics.mean_squared_error(like(x, MATRIX), x, multioutput="raw_values"),
        MATRIX[::-1],
    ),
    "MinMaxScaler": (lambda x: MinMaxScaler().fit_transform(x), MATRIX),
    "MaxAbsScaler": (lambda x: MaxAbsScaler().fit_transform(x), MATRIX),
    "Normalizer": (lambda x: Normalizer().fit_transform(x), MATRIX),
    "normalize l1": (lambda x: normalize(x, norm="l1"), MATRIX),
    "PolynomialFeatures": (lambda x: PolynomialFeatures().fit_transform(x), MATRIX),
    "Ridge": (lambda x: Ridge(solver="svd").fit(x, like(x, POSITIVE[:4])).coef_, MATRIX),
    "Ridge of y": (lambda x: Ridge(solver="svd").fit(like(x, MATRIX), x).coef_, POSITIVE[:4]),
    "PCA": (
        lambda x: PCA(n_components=2, svd_solver="full").fit(x).explained_variance_,
        MATRIX,
    ),
}
for _name in KERNELS.split():
    _f = getattr(pairwise, _name)
    CALLS[_name] = (lambda x, f=_f: f(x, like(x, MATRIX[::-1] + 0.137))), MATRIX
for _name in METRICS.split():
    _f = getattr(metrics, _name)
    CALLS[f"{_name}, raw values"] = (
        (lambda x, f=_f: f(like(x, MATRIX), x, multioutput="raw_values")),
        MATRIX[::-1] + 0.21,
    )
    CALLS[f"{_name} of weights"] = (
        (
            lambda x, f=_f: f(
                like(x, MATRIX),
                like(x, MATRIX[::-1] + 0.21),
                sample_weight=x,
                multioutput="raw_values",
            )
        ),
        POSITIVE[:4],
    )
for _name in ("rbf", "poly", "linear", "laplacian", "sigmoid", "cosine", "chi2"):
    CALLS[f"pairwise_kernels, {_name}"] = (
        (lambda x, m=_name: pairwise.pairwise_kernels(x, metric=m)),
        MATRIX,
    )
for _name, _make in {
    "MinMaxScaler": lambda: MinMaxScaler(feature_range=(-1, 2)),
    "PCA, full": lambda: PCA(2, svd_solver="full"),
    "PCA, covariance_eigh": lambda: PCA(2, svd_solver="covariance_eigh"),
    "PCA, whitened": lambda: PCA(2, svd_solver="full", whiten=True),
}.items():
    CALLS[f"{_name} and back"] = (
        (lambda x, make=_make: back(make(), x)),
        TABLE,
    )
CALLS |= {
    "PCA precision": (lambda x: PCA(2, svd_solver="full").fit(x).get_precision(), TABLE),
    "PCA score_samples": (lambda x: PCA(2, svd_solver="full").fit(x).score_samples(x), TABLE),
    "GaussianNB": (
        lambda x: GaussianNB().fit(x, like(x, LABELS)).predict_proba(like(x, TABLE[:3] + 0.1)),
        TABLE,
    ),
    "Ridge, predicted": (
        lambda x: (
            Ridge(solver="svd").fit(x, like(x, TABLE[:, 0] ** 2)).predict(like(x, TABLE[:3] + 0.1))
        ),
        TABLE,
    ),
    "squared distances": (
        lambda x: pairwise.euclidean_distances(x, like(x, MATRIX[::-1] + 0.1), squared=True),
        MATRIX,
    ),
}
#: Computes what it then leaves out: nan, with an infinite slope.
MASKED = {
    "StandardScaler": (lambda x: StandardScaler().fit_transform(x), TABLE),
    "StandardScaler and back": (lambda x: back(StandardScaler(), x), TABLE),
}
REFUSED = {
    "fitted to an ndarray": (lambda x: MinMaxScaler().fit(x).transform(TABLE), TABLE),
    "log_loss": (lambda x: metrics.log_loss(like(x, [0, 1, 1, 0, 1]), x), SHARE),
    "brier_score_loss": (lambda x: metrics.brier_score_loss(like(x, [0, 1, 1, 0, 1]), x), SHARE),
    "LinearRegression": (
        lambda x: LinearRegression().fit(x, like(x, POSITIVE[:4])).coef_,
        MATRIX,
    ),
}
for _name in LOSSES.split():
    _f = getattr(metrics, _name)
    REFUSED[_name] = (lambda x, f=_f: f(like(x, TRUTH), x)), POSITIVE


@pytest.mark.parametrize("name", CALLS)
def test_differentiable(is_differentiable, name):
    is_differentiable(*CALLS[name])


@pytest.mark.parametrize("name", MASKED)
def test_differentiable_in_what_is_kept(is_differentiable, name):
    with pg.absorbing_zeros():
        is_differentiable(*MASKED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(is_refused, name):
    is_refused(*REFUSED[name])

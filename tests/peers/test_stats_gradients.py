"""scipy.stats: summary statistics, tests, resampling."""

import array_api_compat
import numpy as np
import pytest

import portagrad as pg

pytest.importorskip("scipy")
from scipy import special, stats

POSITIVE = np.asarray([0.7, 1.9, 0.3, 2.6, 1.1])
SHARE = np.asarray([0.2, 0.5, 0.35, 0.8, 0.65])
MATRIX = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7], [0.3, 1.1, 0.8]])
SAMPLE = np.sin(np.arange(24.0) * 1.3) + 0.02 * np.arange(24.0) ** 1.5 + 0.137


def like(x, values):
    return array_api_compat.array_namespace(x).asarray(values)


def mean(x, axis):
    return array_api_compat.array_namespace(x).mean(x, axis=axis)


def thirds(x):
    return x[:8], x[8:16], x[16:]


def halves(x):
    return x[:12], x[12:]


def with_nan(x):
    space = array_api_compat.array_namespace(x)
    return space.where(space.asarray(np.arange(24) % 7 == 3), space.asarray(np.nan), x)


def resample():
    return {"n_resamples": 40, "rng": np.random.default_rng(1)}


SUMMARIES = """
    tmean tvar tstd tsem sem skew kurtosis zscore variation circmean circvar circstd
    differential_entropy kstat kstatvar iqr median_abs_deviation lmoment
"""
OF_POSITIVE = "gmean hmean gstd gzscore entropy"
CALLS = {name: (getattr(stats, name), SAMPLE) for name in SUMMARIES.split()}
CALLS |= {name: (getattr(stats, name), SAMPLE + 3) for name in OF_POSITIVE.split()}
CALLS |= {
    "moment": (lambda x: stats.moment(x, 3), SAMPLE),
    "trim_mean": (lambda x: stats.trim_mean(x, 0.1), SAMPLE),
    "tmin": (lambda x: stats.tmin(x, None), SAMPLE),
    "mode": (lambda x: stats.mode(x).mode, SAMPLE),
    "sigmaclip": (lambda x: stats.sigmaclip(x)[0], SAMPLE),
    "describe": (lambda x: list(stats.describe(x))[2:], SAMPLE),
    "quantile": (lambda x: stats.quantile(x, like(x, [0.2, 0.7])), SAMPLE),
    "rankdata": (lambda x: stats.rankdata(x) * x, SAMPLE),
    "yeojohnson_llf": (lambda x: stats.yeojohnson_llf(0.7, x), SAMPLE + 3),
    "boxcox_llf": (lambda x: stats.boxcox_llf(0.7, x), SAMPLE + 3),
    "zmap": (lambda x: stats.zmap(x, x[:8]), SAMPLE),
    "pmean": (lambda x: stats.pmean(x, 2.5), POSITIVE),
    "gmean weights": (lambda x: stats.gmean(like(x, POSITIVE), weights=x), POSITIVE),
    "entropy qk": (lambda x: stats.entropy(x, like(x, POSITIVE)), POSITIVE[::-1] + 0.2),
    "skew bias": (lambda x: stats.skew(x, bias=False, axis=0), MATRIX),
    "kurtosis axis": (lambda x: stats.kurtosis(x, axis=1), MATRIX),
    "ttest_1samp": (lambda x: stats.ttest_1samp(x, 0.1)[:2], SAMPLE),
    "ttest_ind": (lambda x: stats.ttest_ind(x[:10], x[10:]).statistic, SAMPLE),
    "ttest_rel": (lambda x: stats.ttest_rel(*halves(x))[:2], SAMPLE),
    "f_oneway": (lambda x: stats.f_oneway(*thirds(x))[:2], SAMPLE),
    "bartlett": (lambda x: stats.bartlett(*thirds(x))[:2], SAMPLE),
    "levene": (lambda x: stats.levene(*thirds(x)).statistic, SAMPLE),
    "fligner": (lambda x: stats.fligner(*thirds(x)).statistic + x[0], SAMPLE),
    "kruskal": (lambda x: stats.kruskal(*thirds(x)).statistic + x[0], SAMPLE),
    "alexandergovern": (lambda x: stats.alexandergovern(*thirds(x)).statistic, SAMPLE),
    "pearsonr": (lambda x: stats.pearsonr(*halves(x)).statistic, SAMPLE),
    "pearsonr p": (lambda x: stats.pearsonr(*halves(x)).pvalue, SAMPLE),
    "spearmanrho": (lambda x: stats.spearmanrho(*halves(x)).statistic * x[0], SAMPLE),
    "chisquare": (lambda x: stats.chisquare(x)[:2], POSITIVE),
    "power_divergence": (lambda x: stats.power_divergence(x, lambda_=0.7)[:2], POSITIVE),
    "combine_pvalues": (lambda x: stats.combine_pvalues(x)[:2], SHARE),
    "stouffer": (lambda x: stats.combine_pvalues(x, method="stouffer")[:2], SHARE),
    "directional_stats": (lambda x: stats.directional_stats(x).mean_direction, MATRIX),
    "false_discovery_control": (stats.false_discovery_control, SHARE),
    "cramervonmises_2samp": (
        lambda x: stats.cramervonmises_2samp(*halves(x)).statistic + x[0],
        SAMPLE,
    ),
    "mannwhitneyu": (
        lambda x: stats.mannwhitneyu(*halves(x), method="asymptotic").statistic + x[0],
        SAMPLE,
    ),
    "wilcoxon": (lambda x: stats.wilcoxon(x, method="asymptotic").statistic + x[0], SAMPLE),
    "mood": (lambda x: stats.mood(*halves(x)).statistic + x[0], SAMPLE),
    "mannwhitneyu, exact": (
        lambda x: [*stats.mannwhitneyu(x[:7], x[7:14], method="exact"), x[0]],
        SAMPLE,
    ),
    "wilcoxon, exact": (lambda x: [*stats.wilcoxon(x[:12], method="exact"), x[0]], SAMPLE),
    "monte_carlo_test": (
        lambda x: (
            stats.monte_carlo_test(
                x,
                lambda size: like(x, np.random.default_rng(0).normal(size=size)),
                mean,
                n_resamples=50,
            ).statistic
        ),
        SAMPLE,
    ),
    "bootstrap": (
        lambda x: stats.bootstrap((x,), mean, method="percentile", **resample()).standard_error,
        SAMPLE,
    ),
    "permutation_test": (
        lambda x: (
            stats.permutation_test(
                (x[:6], x[6:12]), lambda a, b, axis: mean(a, axis) - mean(b, axis), **resample()
            ).statistic
        ),
        SAMPLE,
    ),
}
for _name in ("skewtest", "kurtosistest", "normaltest", "jarque_bera"):
    CALLS[_name] = (lambda x, f=getattr(stats, _name): f(x)[:2]), SAMPLE  # noqa: B008
LIMITS, BLOCK = (0.0, 1.5), SAMPLE.reshape(6, 4)
SEVERAL_AXES = """
    sem skew kurtosis variation circmean circvar circstd iqr median_abs_deviation kstat kstatvar
    gmean hmean differential_entropy entropy lmoment
"""
for _name in SEVERAL_AXES.split():
    _f, _lift = getattr(stats, _name), 3 if _name in ("gmean", "hmean", "entropy") else 0
    CALLS[f"{_name} of columns"] = (lambda x, f=_f: f(x, axis=0)), BLOCK + _lift
    CALLS[f"{_name} of all"] = (lambda x, f=_f: f(x, axis=None)), BLOCK + _lift
    CALLS[f"{_name}, nan left out"] = (
        (lambda x, f=_f: f(with_nan(x), nan_policy="omit")),
        SAMPLE + _lift,
    )
for _name in ("vasicek", "van es", "ebrahimi", "correa"):
    CALLS[f"differential_entropy, {_name}"] = (
        (lambda x, m=_name: stats.differential_entropy(x, method=m)),
        SAMPLE,
    )
QUANTILES = """
    inverted_cdf averaged_inverted_cdf closest_observation hazen interpolated_inverted_cdf
    median_unbiased normal_unbiased weibull harrell-davis
"""
for _name in QUANTILES.split():
    CALLS[f"quantile, {_name}"] = (
        (lambda x, m=_name: stats.quantile(x, like(x, [0.2, 0.55]), method=m)),
        SAMPLE,
    )
for _name in ("fisher", "pearson", "tippett", "mudholkar_george"):
    CALLS[f"combine_pvalues, {_name}"] = (
        (lambda x, m=_name: stats.combine_pvalues(x, method=m)[:2]),
        SHARE,
    )
for _name in ("log-likelihood", "freeman-tukey", "mod-log-likelihood", "neyman", "cressie-read"):
    CALLS[f"power_divergence, {_name}"] = (
        (lambda x, m=_name: stats.power_divergence(x, lambda_=m)[:2]),
        POSITIVE,
    )
CALLS |= {
    "tmean, limits": (lambda x: stats.tmean(x, LIMITS, inclusive=(True, False)), SAMPLE),
    "tmax": (lambda x: stats.tmax(x, 1.5), SAMPLE),
    "kstat 4": (lambda x: stats.kstat(x, 4), SAMPLE),
    "moments": (lambda x: stats.moment(x, [1, 2, 3]), SAMPLE),
    "moment of the center": (lambda x: stats.moment(x, 3, center=x[0]), SAMPLE),
    "pmean 0": (lambda x: stats.pmean(x, 0), POSITIVE),
    "pmean of weights": (lambda x: stats.pmean(x, -1.5, weights=x), POSITIVE),
    "hmean of weights": (lambda x: stats.hmean(x, weights=x * x), POSITIVE),
    "quantile of p": (lambda x: stats.quantile(like(x, SAMPLE), x), SHARE),
    "directional_stats length": (
        lambda x: stats.directional_stats(x, normalize=False).mean_resultant_length,
        MATRIX,
    ),
    "ttest_1samp interval": (
        lambda x: list(stats.ttest_1samp(x, 0.2).confidence_interval(0.9)),
        SAMPLE,
    ),
    "ttest_ind interval": (
        lambda x: list(stats.ttest_ind(x[:10], x[10:]).confidence_interval()),
        SAMPLE,
    ),
    "pearsonr interval": (
        lambda x: list(stats.pearsonr(*halves(x)).confidence_interval()),
        SAMPLE,
    ),
    "norm.rvs": (lambda x: stats.norm.rvs(loc=x, size=5, random_state=1), POSITIVE),
    "levene, trimmed": (lambda x: stats.levene(*thirds(x), center="trimmed")[:2], SAMPLE),
    "alexandergovern p": (lambda x: stats.alexandergovern(*thirds(x)).pvalue, SAMPLE),
    "bootstrap interval": (
        lambda x: list(
            stats.bootstrap((x,), mean, method="basic", **resample()).confidence_interval
        ),
        SAMPLE,
    ),
    "permutation_test distribution": (
        lambda x: (
            stats.permutation_test(
                (x[:6], x[6:12]), lambda a, b, axis: mean(a * b, axis), **resample()
            ).null_distribution
        ),
        SAMPLE,
    ),
}
#: Computes what it then leaves out: nan or inf, with an infinite slope.
MASKED = {
    "tvar, limits": (lambda x: stats.tvar(x, LIMITS), SAMPLE),
    "tstd, limits": (lambda x: stats.tstd(x, LIMITS), SAMPLE),
    "tsem, limits": (lambda x: stats.tsem(x, LIMITS), SAMPLE),
}
REFUSED = {
    # A number read into Python: math.log(abs(lmb)).
    "boxcox_llf of lmb": (lambda x: stats.boxcox_llf(x[0], like(x, SAMPLE + 3)), POSITIVE),
    # No derivative with respect to the degrees of freedom.
    "f_oneway, Welch": (lambda x: stats.f_oneway(*thirds(x), equal_var=False).pvalue, SAMPLE),
    "ttest_ind p, Welch": (
        lambda x: stats.ttest_ind(x[:10], x[10:], equal_var=False).pvalue,
        SAMPLE,
    ),
    # NumPy's arrays alone.
    "linregress": (lambda x: stats.linregress(*halves(x)).slope, SAMPLE),
    "wasserstein_distance": (lambda x: stats.wasserstein_distance(*halves(x)), SAMPLE),
    "expectile": (lambda x: stats.expectile(x, 0.3), SAMPLE),
    "norm.fit": (lambda x: stats.norm.fit(x), SAMPLE),
    "norm.mean": (lambda x: stats.norm.mean(loc=x), POSITIVE),
    "Normal.mean": (lambda x: stats.Normal(mu=x, sigma=1.0).mean(), POSITIVE),
    "poisson.var": (stats.poisson.var, POSITIVE),
    "binned_statistic": (
        lambda x: stats.binned_statistic(np.arange(24.0), x, "mean", bins=4).statistic,
        SAMPLE,
    ),
    "gaussian_kde": (lambda x: stats.gaussian_kde(x)(0.4), SAMPLE),
    "ks_1samp": (lambda x: stats.ks_1samp(x, special.ndtr).statistic, SAMPLE),
    "Normal.pdf": (lambda x: stats.Normal(mu=0.2, sigma=1.3).pdf(x), POSITIVE),
    "norm.cdf": (lambda x: stats.norm.cdf(x, 0.1, 2.0), POSITIVE),
    "expon.logpdf": (stats.expon.logpdf, POSITIVE),
}


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

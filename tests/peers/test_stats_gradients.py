"""scipy.stats: summary statistics, tests, resampling."""

import array_api_compat
import numpy as np
import pytest

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
REFUSED = {
    # A number read into Python: math.log(abs(lmb)).
    "boxcox_llf of lmb": (lambda x: stats.boxcox_llf(x[0], like(x, SAMPLE + 3)), POSITIVE),
    # No derivative with respect to the degrees of freedom.
    "ttest_ind p, Welch": (
        lambda x: stats.ttest_ind(x[:10], x[10:], equal_var=False).pvalue,
        SAMPLE,
    ),
    # NumPy's arrays alone.
    "ks_1samp": (lambda x: stats.ks_1samp(x, special.ndtr).statistic, SAMPLE),
    "Normal.pdf": (lambda x: stats.Normal(mu=0.2, sigma=1.3).pdf(x), POSITIVE),
    "norm.cdf": (lambda x: stats.norm.cdf(x, 0.1, 2.0), POSITIVE),
    "expon.logpdf": (stats.expon.logpdf, POSITIVE),
}


@pytest.mark.parametrize("name", CALLS)
def test_differentiable(is_differentiable, name):
    is_differentiable(*CALLS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(is_refused, name):
    is_refused(*REFUSED[name])

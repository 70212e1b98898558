"""Rate ratios: regressions on the counts of two arms, and what to do when one does not converge."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from neurostim.estimates import FEWEST_PER_ARM, Array, Estimate
from neurostim.outcomes import as_floats

Fit = tuple[float, float, str]
"""Log rate ratio, its standard error, and the method in words."""
Model = Callable[[Array, Array, Array], Fit | None]


def rate_ratio(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the ratio of expected counts by negative binomial, or robustly where that fails."""
    return _modelled_ratio(arm, reference, (_negative_binomial, _poisson_robust))


def rate_ratio_robust(arm: pd.DataFrame, reference: pd.DataFrame | None) -> Estimate:
    """Return the ratio of expected counts by Poisson regression with sandwich errors."""
    return _modelled_ratio(arm, reference, (_poisson_robust,))


def _modelled_ratio(
    arm: pd.DataFrame, reference: pd.DataFrame | None, models: tuple[Model, ...]
) -> Estimate:
    """Return the rate ratio by the first model that converges on these two arms."""
    assert reference is not None
    groups = [_recorded(arm), _recorded(reference)]
    n = sum(map(len, groups))
    if min(map(len, groups)) < FEWEST_PER_ARM:
        few = f"Not estimated: fewer than {FEWEST_PER_ARM} patients with a diary in one arm."
        return Estimate(n=n, method=few)
    if any(group["n_evaluation"].sum() == 0 for group in groups):
        return Estimate(n=n, method="Not estimated: no seizure was recorded in one of the arms.")
    rows = pd.concat(groups)
    baseline = np.maximum(as_floats(rows["n_baseline"]), 0.5)
    covariate = np.log(baseline / as_floats(rows["days_baseline"]))
    columns = [np.ones(n), np.arange(n) < len(groups[0])]
    if np.ptp(covariate) > 0:
        columns.append(covariate - covariate.mean())
    design = np.column_stack(columns).astype(float)
    counts = as_floats(rows["n_evaluation"])
    offset = np.log(as_floats(rows["days_evaluation"]))
    for model in models:
        fit = model(counts, design, offset)
        if fit is not None:
            log_ratio, error, method = fit
            half = float(stats.norm.ppf(0.975)) * error
            low, high = np.exp([log_ratio - half, log_ratio + half])
            return Estimate(
                estimate=float(np.exp(log_ratio)),
                low=float(low),
                high=float(high),
                n=n,
                p=float(2 * stats.norm.sf(abs(log_ratio) / error)),
                method=method,
            )
    return Estimate(n=n, method="Not estimated: no regression on the counts converged.")


def _recorded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the patients with a diary both at baseline and in the evaluation window."""
    return frame[(frame["days_baseline"] > 0) & (frame["days_evaluation"] > 0)]


def _negative_binomial(counts: Array, design: Array, offset: Array) -> Fit | None:
    """Return the log rate ratio, its standard error and the method, by maximum likelihood."""
    with warnings.catch_warnings():
        # Without overdispersion the maximum lies on the boundary: several warnings say so.
        warnings.simplefilter("ignore")
        try:
            model = sm.NegativeBinomial(counts, design, offset=offset, loglike_method="nb2")
            fit = model.fit(disp=0, maxiter=200)
        except (ArithmeticError, ValueError):
            return None
    if not fit.mle_retvals["converged"]:
        return None
    return _checked(
        float(fit.params[1]),
        float(fit.bse[1]),
        "Negative binomial regression with the log baseline rate as covariate (a baseline without "
        "seizures counted as half of one) and log recorded days as offset; Wald interval and test; "
        "patients of both arms; unpaired.",
    )


def _poisson_robust(counts: Array, design: Array, offset: Array) -> Fit | None:
    """Return the log rate ratio, its sandwich standard error and the method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = sm.GLM(counts, design, family=sm.families.Poisson(), offset=offset).fit(
                cov_type="HC1"
            )
        except (ArithmeticError, ValueError):
            return None
    if not fit.converged:
        return None
    return _checked(
        float(fit.params[1]),
        float(fit.bse[1]),
        "Poisson regression with robust (sandwich) errors, the log baseline rate as covariate and "
        "log recorded days as offset; Wald interval and test; patients of both arms; unpaired.",
    )


def _checked(log_ratio: float, error: float, method: str) -> Fit | None:
    """Return the fit unless it is no usable one."""
    is_sound = np.isfinite(log_ratio) and np.isfinite(error) and 0 < error < 10
    return (log_ratio, error, method) if is_sound else None

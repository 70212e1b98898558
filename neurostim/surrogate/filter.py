"""The exact posterior over a shared list of settings, one observation at a time.

B patients share M settings and K particles. A posterior covariance is K0 - V'V with one new row of
V per observation: no factorisation, no jitter, O(t M) per observation. The latent value behind an
observation is

    level + wandering + cycles + (1 - share) effect[setting] + share * carried

where `carried` is what earlier settings have left of their effects (see `share_carried`), one more
latent number whose covariance with the list is kept beside it. A patient without an observation
gets a row of zeros: ragged histories cost nothing and change nobody. Forgetting is exact too: the
effects are an Ornstein-Uhlenbeck process, so that with time a row of V counts less and the mean
goes back to the prior's.

With a Gaussian likelihood the posterior is exact. With counts each observation is approximated
where it came (`likelihood.site_of`), and `refit` finds the joint mode of all of them.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from neurostim.surrogate.likelihood import Likelihood, site_of
from neurostim.surrogate.memory import check_fits
from neurostim.surrogate.prior import ListPrior

FIRST_CAPACITY = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """One observation of each of B patients, or n of them with one more axis: `B` or `B n`.

    `value` may be anything where `mask` is false. `days` is how long the setting was on, `exposure`
    how much of that was observed; `at_day` is when its middle was, for cycles.
    """

    index: Tensor  # int64, place of the setting on the list
    value: Tensor
    exposure: Tensor
    days: Tensor
    at_day: Tensor
    mask: Tensor  # bool, whether there is a value
    is_epoch: Tensor  # bool, whether the setting was on at all; without, no time passes

    def column(self, t: int) -> Self:
        """The t-th of n observations of each patient."""
        return type(self)(**{name: getattr(self, name)[:, t] for name in self.__slots__})

    def and_then(self, other: Self) -> Self:
        """These n observations and one more."""
        return type(self)(
            **{
                name: torch.cat((getattr(self, name), getattr(other, name)[:, None]), dim=1)
                for name in self.__slots__
            }
        )


class Rows:
    """The rows of V over the list, `B K capacity M`, that beliefs of one history share.

    Rows are only ever added. A belief that adds to rows which another one has already continued
    takes a copy first, so that an undone observation leaves no trace.
    """

    def __init__(self, buffer: Tensor, n_used: int) -> None:
        self.buffer = buffer
        self.n_used = n_used

    def added(self, n: int, row: Tensor, scale: Tensor) -> "Rows":
        """Rows whose first n are these and whose next is `row * scale`, `B K M` and `B K 1`."""
        rows = self
        if n < self.n_used or n == self.buffer.shape[2]:
            capacity = max(FIRST_CAPACITY, self.buffer.shape[2])
            while capacity <= n:
                capacity *= 2
            shape = (*row.shape[:2], capacity, row.shape[2])
            check_fits(shape, row)
            rows = Rows(row.new_empty(shape), n)
            rows.buffer[:, :, :n] = self.buffer[:, :, :n]
        torch.mul(row, scale, out=rows.buffer[:, :, n])
        rows.n_used = n + 1
        return rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What is believed about B patients after n observations each; a value, never changed."""

    prior: ListPrior
    likelihood: Likelihood
    has_wash_in: bool
    has_drift: bool
    observed: Observed
    n_rows: int
    mean: Tensor  # B K M, of the effects now
    variance: Tensor  # B K M
    rows: Rows
    row_day: Tensor  # B n, when each row of V was exact
    day: Tensor  # B
    extra_mean: Tensor  # B K E, levels and cycles
    extra_rows: Tensor  # B K n E
    level_start: Tensor  # B K, prior mean of the level
    carried_mean: Tensor  # B K
    carried_rows: Tensor  # B K n
    carried_prior: Tensor  # B K M, prior covariance with the effects now
    carried_variance: Tensor  # B K, prior variance
    log_weight: Tensor  # B K
    n_dropped: Tensor  # B, observations that could not be used: the last step of the ladder

    @classmethod
    def start(
        cls,
        prior: ListPrior,
        likelihood: Likelihood,
        n_patients: int,
        level_mean: Tensor | None = None,
    ) -> Self:
        """Before the first observation; `level_mean`, `B`, stands in for the prior's.

        Raises `InputError`, here or as rows are added, when these do not fit into memory.
        """
        b, k, m = n_patients, prior.n_particles, prior.n_settings
        mean = prior.mean
        check_fits((b, k, FIRST_CAPACITY, m), mean)
        extra_mean = torch.zeros_like(prior.extra_variance).expand(b, -1, -1).clone()
        extra_mean[..., 0] = prior.level_mean if level_mean is None else level_mean[:, None]
        none = mean.new_empty(b, 0)
        nothing = none.bool()
        return cls(
            prior=prior,
            likelihood=likelihood,
            has_wash_in=prior.has_wash_in,
            has_drift=prior.has_drift,
            observed=Observed(
                index=none.long(),
                value=none,
                exposure=none,
                days=none,
                at_day=none,
                mask=nothing,
                is_epoch=nothing,
            ),
            n_rows=0,
            mean=mean.expand(b, -1, -1),
            variance=prior.variance.expand(b, -1, -1),
            rows=Rows(mean.new_empty(b, k, 0, m), 0),
            row_day=none,
            day=mean.new_zeros(b),
            extra_mean=extra_mean,
            extra_rows=mean.new_empty(b, k, 0, extra_mean.shape[-1]),
            level_start=extra_mean[..., 0].clone(),
            carried_mean=mean.new_zeros(b, k),
            carried_rows=mean.new_empty(b, k, 0),
            carried_prior=mean.new_zeros(b, k, m),
            carried_variance=mean.new_zeros(b, k),
            log_weight=torch.log_softmax(prior.log_weight, 0).expand(b, -1),
            n_dropped=mean.new_zeros(b, dtype=torch.int64),
        )

    @property
    def n_patients(self) -> int:
        """B."""
        return self.mean.shape[0]

    @property
    def weight(self) -> Tensor:
        """Weight of each particle, `B K`."""
        return torch.softmax(self.log_weight, dim=1)

    def of(self, patients: Tensor) -> Self:
        """The belief about some of the patients, by their positions."""
        rows = self.rows.buffer[patients, :, : self.n_rows]
        observed = Observed(
            **{name: getattr(self.observed, name)[patients] for name in Observed.__slots__}
        )
        columns = {name: getattr(self, name)[patients] for name in PER_PATIENT}
        return replace(self, rows=Rows(rows, self.n_rows), observed=observed, **columns)

    def row_share(self) -> Tensor:
        """How much each row of V still counts for the effects now, `B K n`."""
        age = (self.day[:, None] - self.row_day)[:, None]
        return self.prior.keep[:, None] ** age

    def told(self, observed: Observed) -> "Belief":
        """The belief after one more observation of each patient, `B`."""
        return absorbed(self, observed)


PER_PATIENT = (
    "mean",
    "variance",
    "row_day",
    "day",
    "extra_mean",
    "extra_rows",
    "level_start",
    "carried_mean",
    "carried_rows",
    "carried_prior",
    "carried_variance",
    "log_weight",
    "n_dropped",
)


def share_carried(days: Tensor, wash_in: Tensor) -> tuple[Tensor, Tensor]:
    """What of an epoch's mean effect, and of the effect at its end, is carried from before: `B K`.

    The effect e relaxes towards that of the setting that is on, de/dt = (target - e) / tau. Over d
    days that start at e0 the mean is target (1 - c) + e0 c with c = (tau / d)(1 - exp(-d / tau)),
    and the end is target (1 - q) + e0 q with q = exp(-d / tau).
    """
    scaled = days[:, None].clamp_min(1e-9) / wash_in.clamp_min(1e-9)
    is_slow = wash_in > 0
    at_end = torch.where(is_slow, torch.exp(-scaled), 0.0)
    in_mean = torch.where(is_slow, -torch.expm1(-scaled) / scaled, 0.0)
    return in_mean, at_end


def extras_at(prior: ListPrior, at_day: Tensor) -> Tensor:
    """Weights of the levels and of each sine and cosine on these days: `... E`."""
    parts = [torch.ones_like(at_day)] * prior.n_levels
    for period in prior.cycle_periods:
        angle = at_day * (2 * torch.pi / period)
        parts += [torch.cos(angle), torch.sin(angle)]
    return torch.stack(parts, dim=-1)


def absorbed(belief: Belief, observed: Observed) -> Belief:
    """The belief after one more observation of each patient, `B`."""
    prior, n = belief.prior, belief.n_rows
    patient = torch.arange(belief.n_patients, device=belief.mean.device)
    x = observed.index
    list_row = prior.covariance.columns(x).transpose(0, 1)  # B K M
    carried_row = belief.carried_prior
    in_mean, at_end = share_carried(observed.days, prior.wash_in)
    own, carried = (1 - in_mean)[..., None], in_mean[..., None]
    extra = extras_at(prior, observed.at_day)[:, None]  # B 1 E
    row_share = belief.row_share()
    rows_at_x = belief.rows.buffer[patient, :, :n, x] * row_share  # B K n

    seen = own * rows_at_x + carried * belief.carried_rows
    seen = seen + (belief.extra_rows @ extra[..., None])[..., 0]
    mixed = own * list_row + carried * carried_row if belief.has_wash_in else list_row
    to_list = torch.baddbmm(
        mixed.flatten(0, 1)[:, None],
        (seen * row_share).flatten(0, 1)[:, None],
        belief.rows.buffer[:, :, :n].flatten(0, 1),
        alpha=-1,
    ).view_as(mixed)
    to_extra = prior.extra_variance * extra - (seen[:, :, None] @ belief.extra_rows)[:, :, 0]
    to_carried = (
        own[..., 0] * carried_row[patient, :, x]
        + in_mean * belief.carried_variance
        - (seen * belief.carried_rows).sum(-1)
    )
    variance = (
        own[..., 0] * to_list[patient, :, x] + in_mean * to_carried + (extra * to_extra).sum(-1)
    ).clamp_min(0.0)
    mean = (
        own[..., 0] * belief.mean[patient, :, x]
        + in_mean * belief.carried_mean
        + (extra * belief.extra_mean).sum(-1)
    )

    is_usable = observed.mask & (observed.exposure > 0) & torch.isfinite(observed.value)
    value = torch.where(is_usable, observed.value, 0.0)[:, None]
    exposure = torch.where(is_usable, observed.exposure, 1.0)[:, None]
    site = site_of(belief.likelihood, mean, variance, value, exposure, prior.dispersion)
    is_sound = torch.isfinite(site.gradient + site.precision + site.log_evidence).all(1)
    is_used = (is_usable & is_sound)[:, None]
    gradient = torch.where(is_used, site.gradient, 0.0)[..., None]
    precision = torch.where(is_used, site.precision, 0.0)
    scale = (precision / (1 + precision * variance)).sqrt()[..., None]
    log_weight = belief.log_weight + torch.where(is_used, site.log_evidence, 0.0)

    rows = belief.rows.added(n, to_list, scale)
    row = rows.buffer[:, :, n]
    carried_rows = torch.cat((belief.carried_rows, to_carried[..., None] * scale), dim=2)
    after = replace(
        belief,
        observed=belief.observed.and_then(observed),
        n_rows=n + 1,
        mean=torch.addcmul(belief.mean, to_list, gradient),
        variance=torch.addcmul(belief.variance, row, row, value=-1).clamp_min_(0.0),
        rows=rows,
        row_day=torch.cat((belief.row_day, belief.day[:, None]), dim=1),
        extra_mean=belief.extra_mean + to_extra * gradient,
        extra_rows=torch.cat((belief.extra_rows, (to_extra * scale)[:, :, None]), dim=2),
        carried_mean=belief.carried_mean + to_carried * gradient[..., 0],
        carried_rows=carried_rows,
        log_weight=log_weight - log_weight.logsumexp(1, keepdim=True),
        n_dropped=belief.n_dropped + (observed.mask & ~is_used[:, 0]),
    )
    rows_at_x = torch.cat((rows_at_x, row[patient, :, x][..., None]), dim=2)
    return later(after, observed, at_end, list_row, rows_at_x)


def later(
    belief: Belief, observed: Observed, at_end: Tensor, list_row: Tensor, rows_at_x: Tensor
) -> Belief:
    """The belief at the end of an epoch: what its setting leaves, and what is forgotten."""
    prior = belief.prior
    passed = torch.where(observed.is_epoch, observed.days, 0.0)
    after = replace(belief, day=belief.day + passed)
    keep = prior.keep ** passed[:, None]
    if belief.has_drift:
        square = keep.square()[..., None]
        after = replace(
            after,
            mean=torch.lerp(prior.mean, belief.mean, keep[..., None]),
            variance=torch.lerp(prior.variance, belief.variance, square),
            extra_mean=belief.extra_mean.clone(),
            extra_rows=belief.extra_rows.clone(),
        )
        kept, levels = prior.levels_kept(passed), slice(prior.n_levels)  # B K n_levels
        start = torch.zeros_like(kept)
        start[..., 0] = belief.level_start
        after.extra_mean[..., levels] = torch.lerp(start, belief.extra_mean[..., levels], kept)
        after.extra_rows[..., levels] *= kept[:, :, None]
    if not belief.has_wash_in:
        return after
    x, patient = observed.index, torch.arange(belief.n_patients, device=belief.mean.device)
    kept = torch.where(observed.is_epoch[:, None], at_end, 1.0)
    fresh = 1 - kept
    carried_prior = fresh[..., None] * list_row + kept[..., None] * belief.carried_prior
    return replace(
        after,
        carried_mean=fresh * belief.mean[patient, :, x] + kept * belief.carried_mean,
        carried_rows=fresh[..., None] * rows_at_x + kept[..., None] * belief.carried_rows,
        carried_prior=keep[..., None] * carried_prior,
        carried_variance=fresh.square() * list_row[patient, :, x]
        + 2 * fresh * kept * belief.carried_prior[patient, :, x]
        + kept.square() * belief.carried_variance,
    )

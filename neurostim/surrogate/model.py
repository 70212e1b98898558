"""The belief about a list of settings as a BoTorch model, one output, B patients at once."""

from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

from neurostim.surrogate.filter import Belief, Observed

MIN_VARIANCE = 1e-9
"""Added to every variance, since off has none and GPyTorch warns below 1e-10."""


class ListModel(Model):
    """Posterior over the benefit of M settings: larger is better, as BoTorch expects.

    With counts the benefit is the log of (rate when off / rate at the setting). The mixture over
    particles is matched by a Gaussian. Points are settings of the list, in its own features.
    """

    def __init__(self, belief: Belief, settings: Tensor, sign: float = -1.0) -> None:
        """A model of a belief.

        Args:
            belief: about B patients and M settings.
            settings: `M d`, the list in features of any kind, each row once.
            sign: -1 when small values are good, 1 when large ones are.

        """
        super().__init__()
        self.belief = belief
        self.settings = settings
        self.sign = sign
        weight = belief.weight
        means = sign * belief.mean
        self.list_mean = torch.einsum("bk,bkm->bm", weight, means)
        squares = belief.variance + means.square()
        second = torch.einsum("bk,bkm->bm", weight, squares)
        self.list_variance = (second - self.list_mean.square()).clamp_min(0.0) + MIN_VARIANCE

    @property
    def num_outputs(self) -> int:
        """One: the benefit."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """B, one model per patient."""
        return torch.Size([self.belief.n_patients])

    def posterior(
        self,
        X: Tensor,  # noqa: N803 BoTorch's name
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> GPyTorchPosterior:
        """Joint posterior of q settings.

        Args:
            X: `... q d` or `... B q d`, rows of the list.
            output_indices: accepted for BoTorch's sake; there is one output.
            observation_noise: must be False: a benefit is not observed by itself.
            posterior_transform: applied to the posterior when given.

        Returns:
            A posterior of batch shape `... B`, over q points.

        """
        if observation_noise is not False:
            raise ValueError("observation_noise: the benefit is not observed, it has no noise")
        place = self.places(X)  # ... B q
        distribution = self._alone(place) if place.shape[-1] == 1 else self._joint(place)
        posterior = GPyTorchPosterior(distribution)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def condition_on_observations(
        self,
        X: Tensor,  # noqa: N803 BoTorch's name
        Y: Tensor,  # noqa: N803 BoTorch's name
        exposure: Tensor | None = None,
        **kwargs: Any,
    ) -> "ListModel":
        """The model after n more observations of each patient, one after the other.

        Args:
            X: `B n d` or `n d`, rows of the list.
            Y: `B n 1` or `n 1`, values as they were observed; NaN where there is none.
            exposure: `B n`, 1 each when absent.
            **kwargs: nothing else is understood.

        """
        if kwargs:
            raise ValueError(f"{', '.join(kwargs)}: X, Y and exposure were expected")
        n_patients = self.belief.n_patients
        place = self.places(X)
        value = Y[..., 0].expand(n_patients, -1)
        if place.shape != value.shape:
            raise ValueError(
                f"X has shape {tuple(X.shape)} and Y {tuple(Y.shape)}: B n d and B n 1 were "
                f"expected, with B = {n_patients}"
            )
        exposure = torch.ones_like(value) if exposure is None else exposure.expand_as(value)
        belief = self.belief
        for t in range(value.shape[1]):
            belief = belief.told(
                Observed(
                    index=place[:, t],
                    value=value[:, t],
                    exposure=exposure[:, t],
                    days=exposure[:, t],
                    at_day=belief.day + exposure[:, t] / 2,
                    mask=torch.isfinite(value[:, t]),
                    is_epoch=torch.ones_like(value[:, t], dtype=torch.bool),
                )
            )
        return ListModel(belief, self.settings, self.sign)

    def places(self, points: Tensor) -> Tensor:
        """Where on the list each point is, for each patient: `... B q`."""
        n_patients = self.belief.n_patients
        if points.dim() == 2:
            points = points.unsqueeze(0)
        is_shared = points.shape[-3] == 1 or points.stride(-3) == 0
        if points.shape[-3] not in (1, n_patients):
            points = points.unsqueeze(-3)  # lists of q that all patients share
            is_shared = True
        points = points[..., :1, :, :] if is_shared else points
        n_settings = len(self.settings)
        both = torch.cat((self.settings, points.reshape(-1, points.shape[-1])))
        distinct, which = torch.unique(both, dim=0, return_inverse=True)
        first = which.new_full((len(distinct),), n_settings)
        on_list = torch.arange(n_settings, device=which.device)
        first.scatter_reduce_(0, which[:n_settings], on_list, "amin")
        place = first[which[n_settings:]]
        if bool((place == n_settings).any()):
            stray = both[n_settings:][place == n_settings][0].tolist()
            raise ValueError(f"X holds {stray}: settings of the list were expected")
        place = place.view(points.shape[:-1])
        return place.expand(*place.shape[:-2], n_patients, place.shape[-1])

    def _alone(self, place: Tensor) -> MultivariateNormal:
        mean, variance = (
            each.expand(*place.shape[:-1], -1).gather(-1, place)
            for each in (self.list_mean, self.list_variance)
        )
        return MultivariateNormal(mean, to_linear_operator(variance[..., None]))

    def _joint(self, place: Tensor) -> MultivariateNormal:
        belief = self.belief
        prior, weight = belief.prior, belief.weight
        lists = place.reshape(-1, *place.shape[-2:])  # N B q
        n_lists, n_patients, n_joint = lists.shape
        patient = torch.arange(n_patients, device=place.device)[:, None]
        by_patient = lists.transpose(0, 1).reshape(n_patients, -1)  # B Nq
        mean = self.sign * belief.mean[patient, :, by_patient].transpose(1, 2)
        means = mean.unflatten(-1, (n_lists, n_joint)).transpose(1, 2)  # B N K q
        rows = belief.rows.buffer[patient, :, : belief.n_rows, by_patient]  # B Nq K n
        rows = (rows * belief.row_share()[:, None]).unflatten(1, (n_lists, n_joint))
        explained = torch.einsum("blqkn,blrkn->blkqr", rows, rows)
        table = prior.covariance.block(lists[..., :, None], lists[..., None, :])  # K N B q q
        covariances = table.permute(2, 1, 0, 3, 4) - explained
        center = torch.einsum("bk,blkq->blq", weight, means)
        apart = means - center[:, :, None]
        spread = covariances + apart[..., :, None] * apart[..., None, :]
        covariance = torch.einsum("bk,blkqr->lbqr", weight, spread)
        floor = MIN_VARIANCE * torch.eye(n_joint, dtype=covariance.dtype, device=place.device)
        shape = place.shape[:-1]
        return MultivariateNormal(
            center.transpose(0, 1).reshape(*shape, n_joint),
            to_linear_operator((covariance + floor).reshape(*shape, n_joint, n_joint)),
        )

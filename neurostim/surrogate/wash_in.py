"""How much of each setting's effect an epoch shows, when effects come and go slowly."""

import torch
from torch import Tensor


def mixing(days: Tensor, wash_in_days: float) -> Tensor:
    """Weights `B n n`: how much of each epoch's setting the mean effect of epoch t (the row) holds.

    The effect e relaxes towards the target of the setting that is on, de/dt = (target - e) / tau.
    Over an epoch of d days that starts at e0, the mean is target (1 - c) + e0 c with
    c = (tau / d)(1 - exp(-d / tau)), and the end is target (1 - q) + e0 q with q = exp(-d / tau).
    Rows sum to at most 1; the rest is the time before the first epoch, when nothing was on.
    """
    n_patients, n_epochs = days.shape
    if wash_in_days <= 0:
        return torch.eye(n_epochs, dtype=days.dtype, device=days.device).expand(n_patients, -1, -1)
    scaled = days.clamp_min(1e-9) / wash_in_days
    end = torch.exp(-scaled)
    mean = (1 - end) / scaled
    weights = days.new_zeros(n_patients, n_epochs, n_epochs)
    carried = days.new_zeros(n_patients, n_epochs)  # the effect at the start of epoch t, as weights
    for t in range(n_epochs):
        own = torch.zeros_like(carried)
        own[:, t] = 1
        weights[:, t] = own * (1 - mean[:, t, None]) + carried * mean[:, t, None]
        carried = own * (1 - end[:, t, None]) + carried * end[:, t, None]
    return weights

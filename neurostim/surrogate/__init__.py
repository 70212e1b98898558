"""Gaussian processes over a shared list of settings, many patients at once."""

from neurostim.surrogate.filter import Belief as Belief
from neurostim.surrogate.filter import Observed as Observed
from neurostim.surrogate.likelihood import LIKELIHOODS as LIKELIHOODS
from neurostim.surrogate.model import ListModel as ListModel
from neurostim.surrogate.prior import ListPrior as ListPrior
from neurostim.surrogate.refit import refit as refit

"""A Gaussian process over the effect of settings, for counts, many patients at once."""

from neurostim.surrogate.kernel import EffectKernel as EffectKernel
from neurostim.surrogate.kernel import Particles as Particles
from neurostim.surrogate.model import Counts as Counts
from neurostim.surrogate.model import EffectModel as EffectModel
from neurostim.surrogate.wash_in import mixing as mixing

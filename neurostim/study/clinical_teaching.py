"""The learning curve again on a family of patients that live through the loop and the gate."""

from pathlib import Path
from tempfile import TemporaryDirectory

from neurostim.controllers.gp import LEARNED_BETA, GaussianProcess
from neurostim.encoding import Encoding
from neurostim.learning.cohort import cohort_of_rows
from neurostim.learning.fit import Recipe, effects_by
from neurostim.learning.judgement import in_trial
from neurostim.learning.learn import WASH_IN_DAYS, training_plan
from neurostim.learning.probe import Probe
from neurostim.meta.federation import DISPERSIONS_PER_DAY, generic_start
from neurostim.meta.mixing import mixed_for_device, pruned
from neurostim.results import load
from neurostim.surrogate.generic import WANDER, device_prior
from neurostim.trial import run

RECIPE = Recipe(n_pseudo=10.0, n_rounds=10)
PAST_SEEDS = 1_000_000
"""Added to the seed of those tested: nobody is in both."""


def clinical_curve(
    family: str, n_earlier: int, n_tested: int, n_epochs: int, seed: int
) -> dict[str, float]:
    """The share of the gap in trial with and without a prior from so many earlier patients.

    Those tested are of another seed, and are treated for as many epochs.
    """
    changes = {"population.model": family}
    past = training_plan(
        "demo",
        n_patients=n_earlier,
        n_epochs=n_epochs,
        seed=PAST_SEEDS + seed,
        changes=changes,
    )
    plan = training_plan("demo", n_patients=n_tested, n_epochs=n_epochs, seed=seed, changes=changes)
    with TemporaryDirectory(prefix="neurostim-") as scratch:
        folder = Path(scratch) / "run"
        run(past, folder)
        people = cohort_of_rows(load(folder).epochs(), plan.candidates)
    start = generic_start(plan.candidates, WASH_IN_DAYS, DISPERSIONS_PER_DAY)
    learned = effects_by(start["effects"], people.effects, (RECIPE,), lambda: None)[RECIPE]
    encoded = Encoding.of(plan.candidates).settings(plan.candidates)
    rule = GaussianProcess(beta=LEARNED_BETA, wash_in_days=WASH_IN_DAYS)
    with_prior = Probe(effects=mixed_for_device(pruned(learned), encoded), rule=rule)
    without = Probe(
        effects=device_prior(encoded, wash_in=WASH_IN_DAYS, wander=WANDER),
        rule=rule,
        knows_levels=False,
    )
    found = {
        name: in_trial(plan, plan.patients, probe).value
        for name, probe in (("learned", with_prior), ("generic", without))
    }
    return found | {"learned - generic": found["learned"] - found["generic"]}

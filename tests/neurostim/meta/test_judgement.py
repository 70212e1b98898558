"""A controller judged on some of a plan's patients, in whichever blocks they are."""

from dataclasses import replace

from neurostim.controllers.gp import GaussianProcess
from neurostim.learning.judgement import lived
from neurostim.learning.learn import training_plan


def test_some_patients_of_a_larger_plan_live_as_they_do_among_all():
    plan = training_plan("demo", n_patients=6, n_epochs=2, seed=1, changes={})
    plan = replace(plan, block_size=2)
    everybody = lived(plan, plan.patients, GaussianProcess()).set_index("patient")
    some = lived(plan, plan.patients[3:5], GaussianProcess()).set_index("patient")
    assert list(some.index) == [3, 4]
    columns = ["gap", "gap_closed"]
    assert some[columns].equals(everybody.loc[some.index, columns])

"""The learning curve through the loop and the gate, as small as it can be."""

import pytest

from neurostim.study.clinical_teaching import clinical_curve


def test_both_priors_treat_the_same_patients_and_the_same_again():
    first = clinical_curve("clinical", 5, 5, 2, 1)
    assert first["learned - generic"] == pytest.approx(first["learned"] - first["generic"])
    assert first["learned"] != first["generic"]
    assert max(first["learned"], first["generic"]) <= 1
    assert clinical_curve("clinical", 5, 5, 2, 1) == first

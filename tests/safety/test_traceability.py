"""Every requirement has a running test, every hazard a control, and the page says so."""

import pytest

import safety
from tests.safety.verification.sizes import MEASURES, recorded
from tests.safety.verification.traceability import (
    HAZARDS,
    PAGE,
    REQUIREMENTS,
    page,
    shown,
    shown_in,
)

SHOWN = shown()
ALL = [f"SR-{n:02d}" for n in range(1, 31)]


@pytest.mark.req("SR-27")
def test_the_requirements_are_all_thirty() -> None:
    assert list(REQUIREMENTS) == ALL


@pytest.mark.req("SR-27")
@pytest.mark.parametrize("requirement", ALL)
def test_a_requirement_has_a_running_test(requirement: str) -> None:
    assert [row.test for row in SHOWN if row.requirement == requirement and row.is_ordinary]


@pytest.mark.req("SR-27")
def test_no_test_names_an_unknown_requirement() -> None:
    assert {row.requirement for row in SHOWN} <= set(ALL)


@pytest.mark.req("SR-27")
def test_a_test_that_does_not_run_shows_nothing() -> None:
    text = """
pytestmark = [pytest.mark.req("SR-01"), pytest.mark.slow]

def test_slow(): ...

@pytest.mark.req("SR-02")
def no_test(): ...
"""
    assert [(row.requirement, row.test, row.is_ordinary) for row in shown_in(text, "here")] == [
        ("SR-01", "test_slow", False)
    ]
    running = '@pytest.mark.req("SR-99")\n@pytest.mark.parametrize("n", [1])\ndef test_n(n): ...'
    assert [(row.requirement, row.is_ordinary) for row in shown_in(running, "here")] == [
        ("SR-99", True)
    ]


def test_every_rule_serves_a_requirement() -> None:
    assert {rule.requirement for rule in safety.Rule} <= set(ALL)


@pytest.mark.req("SR-27")
@pytest.mark.parametrize("hazard", HAZARDS["hazards"], ids=lambda hazard: hazard["name"])
def test_a_hazard_has_a_cause_controls_and_requirements(hazard) -> None:
    assert hazard.keys() == {"name", "cause", "controls", "requirements"}
    assert hazard["cause"]
    assert hazard["controls"]
    assert all(hazard["controls"])
    assert hazard["requirements"]
    assert set(hazard["requirements"]) <= set(ALL)


@pytest.mark.req("SR-27")
def test_every_requirement_controls_a_hazard() -> None:
    controlled = {each for hazard in HAZARDS["hazards"] for each in hazard["requirements"]}
    assert controlled == set(ALL)


@pytest.mark.req("SR-27")
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "python -m tests.safety.verification.traceability"
    )


def test_sizes_belong_to_requirements_and_leave_time_for_the_rest() -> None:
    assert set(recorded()) <= set(MEASURES)
    assert all(set(measure.requirements) <= set(ALL) for measure in MEASURES.values())
    assert 0 < sum(measure.share for measure in MEASURES.values()) <= 0.95

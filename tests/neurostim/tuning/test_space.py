"""The knobs of an arm, what can be tuned, and on whom."""

from pathlib import Path
from typing import Any

import pytest

from neurostim.tuning.ground import chosen_arm, ground_of
from neurostim.tuning.knobs import Space, space_of
from protocols import InputError
from protocols.design import Design, load_design

DESIGN = load_design("demo")


def space(*priors: str, design: Design = DESIGN, arm: str | None = None) -> Space:
    return space_of(design, chosen_arm(design, arm), priors)


def test_the_usual_choice_is_what_the_design_has() -> None:
    whole = space()
    assert whole.changes(whole.usual) == {}
    values = whole.values(whole.usual)
    assert values["epoch_days"] == DESIGN.schedule.epoch_days
    assert values["beta"] == 2.5
    assert "prior" not in values
    assert "n_anchors" not in values


def test_knobs_that_do_nothing_stay_in_their_place() -> None:
    whole = space("demo")
    for choice in whole.drawn(200, 3):
        values = whole.values(choice)
        assert choice == whole.canonical(choice)
        if values["acquisition"] != "upper_confidence_bound":
            assert values["beta"] == 2.5
        if not values["is_limited"]:
            assert values["limit_beta"] == 2.0
        if values["prior"] is None:
            assert values["n_anchors"] == 0
        else:
            assert values["wash_in_days"] == 18.0


def test_a_neighbour_differs_in_a_knob_that_does_something() -> None:
    whole = space()
    choice = whole.drawn(3, 1)[2]
    for other in whole.neighbours(choice):
        moved = [k for k, (a, b) in zip(whole.knobs, zip(choice, other, strict=True), strict=True)
                 if a != b]  # fmt: skip
        changed = [knob for knob in moved if whole.is_active(choice, knob)]
        assert len(changed) >= 1
        parents = {"acquisition", "is_limited"}
        assert len(changed) == 1 or parents & {knob.name for knob in changed}


def test_drawing_near_the_design_leaves_most_knobs_alone() -> None:
    whole = space()
    far = sum(len(whole.changes(choice)) for choice in whole.drawn(256, 5))
    near = sum(len(whole.changes(choice)) for choice in whole.drawn(256, 5, 0.3))
    assert 0.2 * far < near < 0.4 * far


def test_a_prior_of_the_arm_is_a_knob_that_can_be_left_out() -> None:
    learned = load_design("learned")
    whole = space(design=learned, arm="learned")
    values = whole.values(whole.usual)
    assert (values["prior"], values["beta"], values["generic_share"]) == ("demo", 1.0, 0.1)
    knob = whole.knobs[whole.place["prior"]]
    assert knob.values == ("demo", None)


@pytest.mark.parametrize(
    ("design", "arm", "words"),
    [
        ("demo", "nobody", "--arm nobody: one of sham, fixed, titration, random, gp"),
        ("learned", None, "the arms gp, learned can be tuned: --arm"),
        ("demo", "sham", "arms.sham: controller 'sham' has no knobs to tune"),
    ],
)
def test_an_arm_that_cannot_be_tuned_is_one_sentence(
    design: str, arm: str | None, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        space(design=load_design(design), arm=arm)
    assert words in str(caught.value)


def test_training_and_validation_patients_are_different_people() -> None:
    ground = ground_of(
        DESIGN, chosen_arm(DESIGN, None), n_training=12, n_validation=9, seed=2, folder=Path()
    )
    assert len(ground.training) == 12
    assert len(ground.validation) == 9
    assert not set(ground.training) & set(ground.validation)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_training": 3}, "--patients 3: 8 or more"),
        ({"n_validation": 1}, "--validation 1: 8 or more"),
    ],
)
def test_too_few_patients_are_one_sentence(changes: dict[str, Any], words: str) -> None:
    numbers = {"n_training": 8, "n_validation": 8} | changes
    with pytest.raises(InputError, match=words):
        ground_of(DESIGN, chosen_arm(DESIGN, None), seed=2, folder=Path(), **numbers)


def test_a_crossover_is_refused() -> None:
    design = load_design("crossover")
    arm = design.arms[-1]
    with pytest.raises(InputError, match="paired or parallel design was expected"):
        ground_of(design, arm, n_training=8, n_validation=8, seed=2, folder=Path())

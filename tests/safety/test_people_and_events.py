"""What events, restarts and people leave behind, field by field, and who counts as two people."""

from dataclasses import replace

import pytest

from protocols import OFF, InputError, Setting
from safety import (
    Change,
    Latch,
    NotTolerated,
    Past,
    Person,
    Rise,
    Role,
    Rule,
    acknowledge,
    after_adverse_event,
    after_restart,
)
from safety.people import check_person, check_two_roles
from tests.safety.strategies import DAY, running, small_envelope

LOW = Setting(site=0, amplitude_ua=2000, frequency_hz=50, pulse_width_us=120)
ENVELOPE = small_envelope(lockout_s=500)
ANNE = Person("Anne", Role.CLINICIAN)
BERT = Person("Bert", Role.SAFETY_OFFICER)
RAN = running(
    LOW,
    at_s=1000,
    refusals=2,
    rises=(Rise(900, 1, 2, 3),),
    changes=(Change(100, 1, 2, 3, 4, 5),),
    lockout_until_s=1200,
)


def harmed(grade: int, at_s: int = 1000, setting: Setting = LOW, past: Past = RAN, **limits: int):
    return after_adverse_event(
        past, ENVELOPE.replaced(**limits), at_s=at_s, grade=grade, setting=setting
    )


@pytest.mark.req("SR-16")
@pytest.mark.req("SR-24")
@pytest.mark.parametrize(
    ("site_grade", "patient_grade", "grade", "sites"),
    [
        (2, 3, 1, ()),
        (2, 3, 2, (0,)),
        (2, 3, 3, (None,)),
        (3, 2, 1, ()),
        (3, 2, 2, (None,)),
        (4, 4, 3, ()),
        (4, 4, 4, (None,)),
        (1, 4, 1, (0,)),
    ],
)
def test_the_grades_of_the_envelope_decide(site_grade, patient_grade, grade, sites) -> None:
    limits = {"adverse_site_grade": site_grade, "adverse_patient_grade": patient_grade}
    past = harmed(grade, **limits)
    assert tuple(each.site for each in past.latches) == sites
    assert (past == RAN) is (not sites)


@pytest.mark.req("SR-16")
@pytest.mark.req("SR-17")
@pytest.mark.parametrize(
    ("at_s", "clock", "until_s"), [(900, 1000, 1500), (1000, 1000, 1500), (1001, 1001, 1501)]
)
def test_an_event_leaves_all_else_as_it_was(at_s: int, clock: int, until_s: int) -> None:
    assert harmed(2, at_s) == replace(
        RAN,
        at_s=clock,
        lockout_until_s=until_s,
        latches=(Latch(0, Rule.ADVERSE_EVENT, clock),),
        not_tolerated=(NotTolerated(0, 120, 2000),),
    )
    assert harmed(2, at_s, past=replace(RAN, lockout_until_s=9999)).lockout_until_s == 9999


@pytest.mark.req("SR-16")
def test_an_event_without_stimulation_locks_out_and_blames_no_setting() -> None:
    assert harmed(2, setting=OFF) == replace(RAN, lockout_until_s=1500)
    latched = harmed(3, setting=OFF)
    assert latched.latches == (Latch(None, Rule.ADVERSE_EVENT, 1000),)
    assert latched.not_tolerated == ()


@pytest.mark.req("SR-16")
def test_the_lowest_amplitude_of_each_site_and_width_is_remembered() -> None:
    past = RAN
    for site, width_us, amplitude_ua in (
        (0, 120, 3000),
        (1, 120, 1000),
        (0, 60, 500),
        (0, 120, 2000),
        (0, 120, 2500),
    ):
        setting = replace(LOW, site=site, pulse_width_us=width_us, amplitude_ua=amplitude_ua)
        past = harmed(2, setting=setting, past=past)
    assert set(past.not_tolerated) == {
        NotTolerated(0, 120, 2000),
        NotTolerated(1, 120, 1000),
        NotTolerated(0, 60, 500),
    }
    assert len(past.not_tolerated) == 3


@pytest.mark.req("SR-16")
@pytest.mark.parametrize("grade", [5, -1, 2.0, True, None, 2**63])
def test_what_is_no_grade_is_said_in_words(grade: object) -> None:
    words = "grade = 5: one of" if grade == 5 else "grade = something that is no grade: one of"
    with pytest.raises(InputError, match=words):
        harmed(grade)  # type: ignore[arg-type]


@pytest.mark.req("SR-14")
@pytest.mark.parametrize("at_s", [-1, 1.0, True, None, 2**63, "1"])
def test_what_is_no_time_changes_nothing(at_s: object) -> None:
    latched = harmed(2)
    for event in (
        lambda: harmed(2, at_s),  # type: ignore[arg-type]
        lambda: harmed(0, at_s),  # type: ignore[arg-type]
        lambda: after_restart(RAN, at_s),  # type: ignore[arg-type]
        lambda: acknowledge(latched, latched.latches[0], (ANNE, BERT), at_s),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="at_s: a whole number of seconds"):
            event()


@pytest.mark.req("SR-17")
@pytest.mark.parametrize(("at_s", "clock"), [(999, 1000), (1001, 1001)])
def test_a_restart_ends_what_ran_and_earns_nothing(at_s: int, clock: int) -> None:
    ended = Change(clock, 0, 0, 0, 0, 1)
    assert after_restart(RAN, at_s) == replace(
        RAN, at_s=clock, delivered=OFF, changes=(*RAN.changes, ended)
    )
    idle = replace(RAN, delivered=OFF)
    assert after_restart(idle, at_s) == replace(idle, at_s=clock)
    old = replace(RAN, changes=(Change(0, 1, 2, 3, 4, 5), Change(7, 6, 7, 8, 9, 1)))
    assert after_restart(old, DAY + 6).changes[:-1] == old.changes
    assert after_restart(old, DAY + 7).changes[:-1] == old.changes[1:]


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    ("rule", "people", "refusals"),
    [
        (Rule.BASELINE, 1, 0),
        (Rule.FALLBACK, 2, 0),
        (Rule.ADVERSE_EVENT, 2, 2),
        (Rule.DEFECT, 2, 2),
        (Rule.RECHECK, 2, 2),
    ],
)
@pytest.mark.parametrize(("at_s", "clock"), [(999, 1000), (1001, 1001)])
def test_a_release_takes_away_one_latch_and_nothing_else(
    rule: Rule, people: int, refusals: int, at_s: int, clock: int
) -> None:
    latch, other = Latch(None, rule, 5), Latch(2, Rule.ADVERSE_EVENT, 5)
    past = replace(RAN, latches=(other, latch))
    if people == 2:
        with pytest.raises(InputError, match="takes two people in two roles"):
            acknowledge(past, latch, (ANNE,), at_s)
    with pytest.raises(InputError, match="nobody was named"):
        acknowledge(past, latch, (), at_s)
    released = acknowledge(past, latch, (ANNE, BERT)[:people], at_s)
    assert released == replace(RAN, at_s=clock, latches=(other,), refusals=refusals)


class LatchOfItsOwn:
    """Equals every latch, and names the rule that takes one person only."""

    rule = Rule.BASELINE

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


@pytest.mark.req("SR-16")
@pytest.mark.parametrize(
    "latch",
    [
        LatchOfItsOwn(),
        None,
        Latch(0, Rule.BASELINE, 1000),
        Latch(1, Rule.ADVERSE_EVENT, 1000),
        Latch(0, Rule.ADVERSE_EVENT, 999),
        (0, Rule.ADVERSE_EVENT, 1000),
    ],
)
def test_only_a_latch_that_is_there_is_released(latch) -> None:
    past = harmed(2)
    with pytest.raises(InputError, match="no such latch: 1 others are there"):
        acknowledge(past, latch, (ANNE, BERT), 1000)


def forced(**fields: object) -> Person:
    person = object.__new__(Person)
    for name, value in fields.items():
        object.__setattr__(person, name, value)
    return person


class TextOfItsOwn(str):
    pass


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    "by",
    [
        [ANNE, BERT],
        ("Anne", "Bert"),
        (ANNE, None),
        (ANNE, forced()),
        (ANNE, forced(name="Bert")),
        (ANNE, forced(name="Bert", role="safety-officer")),
        (ANNE, forced(name=TextOfItsOwn("Bert"), role=Role.SAFETY_OFFICER)),
    ],
)
def test_what_is_no_tuple_of_persons_answers_for_nothing(by) -> None:
    for check in (check_person, check_two_roles):
        with pytest.raises(InputError, match="it: a tuple of persons was expected"):
            check(by, "it")


@pytest.mark.req("SR-18")
@pytest.mark.parametrize(
    ("names", "are_two"),
    [
        (("Anne", "Bert"), True),
        (("Anne", "Anne"), False),
        (("Anne", " ANNE "), False),
        (("Anne Smith", "Anne  Smith"), False),
        (("Anne", "Ann\u200be"), False),
        (("Anne", "\uff21nne"), False),
        (("Anne-Marie", "Anne Marie"), False),
        (("Zoë", "Zoe\u0308"), False),
        (("Zoë", "Zoe"), True),
        (("Anne 1", "Anne 2"), True),
    ],
)
def test_two_people_differ_in_letters_or_digits_and_in_their_roles(names, are_two: bool) -> None:
    first, second = names
    for one, other in ((first, second), (second, first)):
        people = (Person(one, Role.CLINICIAN), Person(other, Role.SAFETY_OFFICER))
        same_role = (Person(one, Role.CLINICIAN), Person(other, Role.CLINICIAN))
        with pytest.raises(InputError, match=r"takes two people in two roles: .*\(clinician\)"):
            check_two_roles(same_role, "it")
        if are_two:
            check_two_roles(people, "it")
            check_two_roles((*same_role, people[1]), "it")
        else:
            with pytest.raises(InputError, match="takes two people in two roles"):
                check_two_roles(people, "it")


@pytest.mark.req("SR-18")
@pytest.mark.parametrize("name", ["", "  ", None, 7, TextOfItsOwn("Anne")])
def test_a_person_has_a_name(name: object) -> None:
    with pytest.raises(InputError, match="the name of a person was expected"):
        Person(name, Role.CLINICIAN)  # type: ignore[arg-type]


@pytest.mark.req("SR-18")
@pytest.mark.parametrize("role", ["clinician", None, 0])
def test_a_person_has_a_role(role: object) -> None:
    with pytest.raises(InputError, match="clinician, safety-officer were expected"):
        Person("Anne", role)  # type: ignore[arg-type]

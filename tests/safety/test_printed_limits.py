"""A limit that is printed is rounded down, and what is printed passes when it is typed back in."""

import re
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from protocols import Mode, Setting
from safety import Past, Rule, envelope_names, load_envelope, review
from tests.safety.strategies import propose, small_envelope

LOWERED_TO = re.compile(r"amplitude lowered from [0-9.]+ mA to ([0-9.]+) mA")
LIMIT_UC = re.compile(r"would be ([0-9.]+) µC, the limit is ([0-9.]+) µC")


@pytest.mark.req("SR-29")
@pytest.mark.parametrize("name", envelope_names())
def test_what_a_sentence_prints_passes_when_it_is_typed_back_in(name: str) -> None:
    envelope, past = load_envelope(name), Past.start(7)
    first = next(setting for setting in envelope.space if not setting.is_off)
    n_lowered = n_limits = 0
    for site, width_us, amplitude_ua in product(
        envelope.sites, envelope.pulse_width_us, envelope.amplitude_ua
    ):
        wish = replace(first, site=site, pulse_width_us=width_us, amplitude_ua=amplitude_ua + 1)
        verdict = review(propose(envelope, past, wish, 0), past, envelope, 0)
        load = envelope.binding_charge[site]
        for finding in verdict.findings:
            if found := LIMIT_UC.search(finding.sentence):
                n_limits += 1
                assert finding.rule is Rule.CHARGE
                would_be, limit = (10**6 * Decimal(text) for text in found.groups())
                assert limit <= load.max_charge_pc < limit + 1000
                assert would_be > limit
        if found := LOWERED_TO.search(" ".join(f.sentence for f in verdict.findings[-1:])):
            n_lowered += 1
            typed_ua = 1000 * Decimal(found[1])
            assert typed_ua == verdict.delivered.amplitude_ua
            again = replace(verdict.delivered, amplitude_ua=int(typed_ua))
            second = review(propose(envelope, past, again, 0), past, envelope, 0)
            assert (second.delivered, second.findings) == (again, ())
    assert n_lowered > len(envelope.amplitude_ua)
    assert n_limits > 10


PLAIN = Setting(site=0, amplitude_ua=8000, frequency_hz=50, pulse_width_us=120)
CYCLING = replace(PLAIN, amplitude_ua=4000, on_ms=20_000, off_ms=30_000, mode=Mode.CYCLING)
PRINTED = re.compile(r"would be ([0-9.]+)( \S+)?, the limit is ([0-9.]+)( \S+)?")

# the limit as the envelope holds it, its printed unit, how many of it are one of those, what is
# asked, the limits to sweep, and the last digit that is printed
SWEEP = {
    Rule.CONTACT_CURRENT: ("max_contact_current_ua", "mA", 1000, PLAIN, (1000, 8000, 37), 1),
    Rule.LEAD_CURRENT: ("max_lead_current_ua", "mA", 1000, PLAIN, (1000, 8000, 37), 1),
    Rule.STEP: ("step_amplitude_ua", "mA", 1000, PLAIN, (1000, 8000, 37), 1),
    Rule.AMPLITUDE_RISE: ("rise_amplitude_ua", "mA", 1000, PLAIN, (1000, 8000, 37), 1),
    Rule.CHARGE_RISE: ("rise_charge_nc_per_s", "µC/s", 1000, PLAIN, (6000, 48_000, 211), 1),
    Rule.DUTY: ("max_duty_permille", "%", 10, CYCLING, (250, 400, 1), 1),
    Rule.DUTY_RISE: ("rise_duty_permille", "%", 10, CYCLING, (250, 400, 1), 1),
    Rule.CHARGE_PER_DAY: ("day_max_charge_uc", "C", 10**6, CYCLING, (300_000, 829_440, 1733), 1000),
    Rule.THERAPIES_PER_DAY: ("day_max_therapies", "", 1, CYCLING, (1, 1728, 13), 1),
}


@pytest.mark.req("SR-29")
@pytest.mark.parametrize("rule", SWEEP, ids=str)
def test_a_printed_limit_is_the_limit_rounded_down_in_its_unit(rule: Rule) -> None:
    field, unit, scale, wish, sweep, last_digit = SWEEP[rule]
    past = Past.start(7)
    for limit in range(*sweep):
        envelope = small_envelope(**{field: limit})
        verdict = review(propose(envelope, past, wish, 0), past, envelope, 0)
        (finding,) = verdict.findings
        found = PRINTED.search(finding.sentence)
        assert finding.rule is rule
        assert found is not None, finding.sentence
        value, value_unit, printed, printed_unit = found.groups()
        assert (value_unit or "").strip() == (printed_unit or "").strip() == unit
        typed = scale * Decimal(printed)
        assert typed <= limit < typed + last_digit
        assert scale * Decimal(value) > limit
        again = small_envelope(**{field: int(typed)})
        second = review(propose(again, past, wish, 0), past, again, 0)
        if typed == limit:
            assert second.delivered == verdict.delivered
        else:
            assert second.delivered.amplitude_ua <= verdict.delivered.amplitude_ua

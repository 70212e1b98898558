"""A limit that is printed is rounded down, and what is printed passes when it is typed back in."""

import re
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from safety import Past, Rule, envelope_names, load_envelope, review
from tests.safety.strategies import propose

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

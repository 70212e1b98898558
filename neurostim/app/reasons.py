"""The proposal with its reasons: what was learnt, what safety says, what would change it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from neurostim.app.beliefs import Read
from neurostim.app.engine import Engine
from neurostim.app.life import Life, LimitChange, Scenario
from neurostim.app.maps import posterior_view
from neurostim.app.timelines import day_text
from neurostim.app.views import Posterior, Proposal, Table
from neurostim.asking import Wish
from protocols import OFF, SECONDS_PER_DAY, Setting
from protocols import Proposal as Request
from protocols.design import Arm
from safety import Envelope, Verdict, review

QUANTITIES = ("site", "amplitude", "frequency", "pulse width", "cycle")


def beliefs_of(
    engine: Engine,
    read: Read,
    scenario: Scenario,
    changes: Sequence[LimitChange],
    first_date: date | None,
) -> tuple[Posterior, Proposal]:
    """What is believed and proposed where a scenario ends: the policy is asked, nothing lived."""
    life, policy, envelope = scenario.life, scenario.policy, engine.plan.envelope
    wish = engine.wish(life, policy, changes)
    verdict = verdict_of(engine, life, wish, changes)
    return (
        posterior_view(read, life, policy, wish.requested, envelope),
        proposal_view(read, life, policy, wish, verdict, envelope, first_date),
    )


def verdict_of(engine: Engine, life: Life, wish: Wish, changes: Sequence[LimitChange]) -> Verdict:
    """What the gate would say to a wish now; nothing is delivered, and nothing remembered."""
    past = life.batch.pasts.past(0)
    now_s = life.day * SECONDS_PER_DAY
    envelope = engine.chain(changes).active
    request = Request(
        patient=past.patient,
        sequence=past.sequence + 1,
        at_s=now_s,
        envelope_hash=envelope.hash,
        setting=wish.setting,
    )
    return review(request, past, envelope, now_s)


def proposal_view(
    read: Read,
    life: Life,
    policy: Arm,
    wish: Wish,
    verdict: Verdict,
    envelope: Envelope,
    first_date: date | None,
) -> Proposal:
    """Previous, proposed and delivered side by side, with the reasons."""
    previous, delivered = life.delivered or OFF, verdict.delivered
    places = {setting: place for place, setting in enumerate(read.candidates)}
    place = places.get(OFF if delivered.is_off else delivered)
    changed = tuple(
        f"{finding.sentence[:1].upper()}{finding.sentence[1:]} (rule {finding.rule.value})."
        for finding in verdict.findings
    )
    columns = [_fields(each, envelope) for each in (previous, wish.requested, delivered)]
    rows = tuple((name, *(column[name] for column in columns)) for name in QUANTITIES)
    return Proposal(
        policy=policy.name,
        day=life.day,
        previous=_named(previous, envelope),
        proposed="nothing" if wish.requested is None else _named(wish.requested, envelope),
        delivered=_named(delivered, envelope),
        ruling=verdict.ruling.value,
        seizures_per_28_days=None if place is None else read.rate_at(place),
        probability_of_improvement=(
            None if place is None or delivered.is_off else float(read.improves[place])
        ),
        why=tuple(_why(read, life, policy, wish, changed, envelope, first_date)),
        changed=changed,
        table=Table(columns=("", "previous", "proposed", "delivered"), rows=rows),
    )


def _fields(setting: Setting | None, envelope: Envelope) -> Mapping[str, str]:
    if setting is None or setting.is_off:
        text = "nothing" if setting is None else "off"
        return dict.fromkeys(QUANTITIES, "") | {"site": text}
    cycle = "continuous"
    if setting.on_ms:
        cycle = f"{setting.on_ms / 1000:g} s on, {setting.off_ms / 1000:g} s off"
    return {
        "site": envelope.montages[setting.site].name,
        "amplitude": f"{setting.amplitude_ua / 1000:g} mA",
        "frequency": f"{setting.frequency_hz} Hz",
        "pulse width": f"{setting.pulse_width_us} µs",
        "cycle": cycle,
    }


def _named(setting: Setting, envelope: Envelope) -> str:
    """A setting in one line, by the name of its site."""
    fields = _fields(setting, envelope)
    parts = [fields[name] for name in QUANTITIES if fields[name] not in ("", "continuous")]
    return ", ".join(parts)


def _why(
    read: Read,
    life: Life,
    policy: Arm,
    wish: Wish,
    changed: Sequence[str],
    envelope: Envelope,
    first_date: date | None,
) -> Iterator[str]:
    """Three to five sentences: learnt, explore or exploit, safety, what would change the advice."""
    found = read.explanation
    best = found.recommended
    since = day_text(life.day, first_date)
    if best is None or best.setting.is_off:
        yield (
            f"By {since}, after {found.n_told} epochs, no setting is well enough supported to be "
            "called better than no stimulation."
        )
    else:
        low, high = (100 * share for share in best.reduction_interval)
        change = f"{100 * best.reduction:.0f} % fewer seizures than without stimulation"
        yield (
            f"By {since}, after {found.n_told} epochs, the best-supported setting is "
            f"{_named(best.setting, envelope)}: {change} (90 % interval {low:.0f} to {high:.0f} %)."
        )
    if wish.fault:
        yield f"The policy came up with nothing: {wish.fault}."
    elif not read.is_own:
        yield (
            f"{policy.name} follows its own rule and does not use this belief; it proposes "
            f"{_named(wish.requested or OFF, envelope)}."
        )
    elif best is not None and wish.requested == best.setting:
        yield "The proposal exploits: it is the setting that the data support best."
    else:
        yield (
            f"The proposal explores: {_named(wish.requested or OFF, envelope)} is less certain, "
            "and may turn out better than what is known."
        )
    yield (
        f"Safety changes it: {' '.join(changed)}"
        if changed
        else "Safety lets it through unchanged."
    )
    if read.is_own and found.n_left_out:
        yield f"{found.n_left_out} settings are left out for the side effects they may bring."
    if read.is_own and found.runner_up is not None and best is not None:
        certainty = 100 * (found.probability_over_runner_up or 0)
        yield (
            f"What would change the advice: the runner-up is {_named(found.runner_up, envelope)}, "
            f"with {100 * (found.margin or 0):.0f} % more seizures expected; the present advice is "
            f"the better one with a probability of {certainty:.0f} %."
        )

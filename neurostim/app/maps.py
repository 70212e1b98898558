"""Beliefs as pictures: a map for each site, and slices through it at each frequency."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neurostim.app.beliefs import Read
from neurostim.app.life import Life
from neurostim.app.timelines import WINDOW_DAYS
from neurostim.app.views import Dot, Posterior, SiteMap, Slice, Table
from neurostim.history import BASELINE
from protocols import BOTHERSOME_GRADE, Setting
from protocols.design import Arm
from safety import Envelope


def posterior_view(
    read: Read, life: Life, policy: Arm, proposed: Setting | None, envelope: Envelope
) -> Posterior:
    """Maps of every site and slices at every frequency, at the pulse width that is in use."""
    shown = _usual(read.candidates, proposed, life.delivered)
    sites = sorted({setting.site for setting in read.candidates[1:]})
    maps = tuple(_site_map(read, life, site, shown, proposed, envelope) for site in sites)
    whole = np.concatenate([each.mean.ravel() for each in maps])
    spread = np.concatenate([each.sd.ravel() for each in maps])
    most = float(np.nanmax(np.abs(whole), initial=1.0))
    n_told = read.explanation.n_told
    whose = (
        f"What {policy.name} believes"
        if read.is_own
        else f"{policy.name} keeps no belief: read by a Gaussian process"
    )
    return Posterior(
        policy=policy.name,
        day=life.day,
        maps=maps,
        slices=dict(_slices(read, life, maps, shown)),
        low=-most,
        high=most,
        sd_high=float(np.nanmax(spread, initial=1.0)),
        sentence=f"{whose}, from {n_told} epochs over {life.day} days.",
        table=_table(read, envelope),
    )


def _usual(candidates: Sequence[Setting], *preferred: Setting | None) -> Setting:
    """The setting whose pulse width and cycle the maps are drawn at."""
    return next((each for each in preferred if each and not each.is_off), candidates[1])


def _is_shown(setting: Setting, shown: Setting) -> bool:
    names = ("pulse_width_us", "on_ms", "off_ms", "mode")
    return all(getattr(setting, name) == getattr(shown, name) for name in names)


def _site_map(
    read: Read, life: Life, site: int, shown: Setting, proposed: Setting | None, envelope: Envelope
) -> SiteMap:
    here = [
        (place, setting)
        for place, setting in enumerate(read.candidates)
        if setting.site == site and not setting.is_off and _is_shown(setting, shown)
    ]
    amplitudes = sorted({each.amplitude_ua for each in read.candidates if not each.is_off})
    frequencies = sorted({each.frequency_hz for each in read.candidates if not each.is_off})
    shape = (len(amplitudes), len(frequencies))
    grids = {name: np.full(shape, np.nan) for name in ("mean", "sd")}
    flags = {name: np.zeros(shape, dtype=np.bool_) for name in ("is_permitted", "is_tolerated")}

    def at(setting: Setting | None) -> tuple[int, int] | None:
        if setting is None or setting.is_off or setting.site != site:
            return None
        if setting.amplitude_ua not in amplitudes or setting.frequency_hz not in frequencies:
            return None
        return amplitudes.index(setting.amplitude_ua), frequencies.index(setting.frequency_hz)

    for place, setting in here:
        cell = at(setting)
        for name, table in (grids | flags).items():
            table[cell] = getattr(read, name)[place]
    tried: dict[tuple[int, int], list[Any]] = {}
    for turn in life.turns:
        if (cell := at(turn.lived.delivered)) is not None:
            tried.setdefault(cell, []).append(turn.lived.outcome.observation)
    return SiteMap(
        site=site,
        name=envelope.montages[site].name,
        amplitudes_ma=np.array(amplitudes) / 1000,
        frequencies_hz=np.array(frequencies, dtype=np.int64),
        mean=grids["mean"],
        sd=grids["sd"],
        is_permitted=flags["is_permitted"],
        is_tolerated=flags["is_tolerated"],
        dots=tuple(_dot(cell, seen) for cell, seen in sorted(tried.items())),
        proposed=at(proposed),
        running=at(life.delivered),
    )


def _dot(cell: tuple[int, int], seen: Sequence[Any]) -> Dot:
    n_recorded = sum(each.days_recorded for each in seen)
    n_seizures = sum(each.n_seizures or 0 for each in seen)
    return Dot(
        amplitude_index=cell[0],
        frequency_index=cell[1],
        days=sum(each.days for each in seen),
        rate=WINDOW_DAYS * n_seizures / n_recorded if n_recorded else float("nan"),
        has_side_effect=any((each.worst_grade or 0) >= BOTHERSOME_GRADE for each in seen),
    )


def _slices(
    read: Read, life: Life, maps: Sequence[SiteMap], shown: Setting
) -> Iterator[tuple[tuple[int, int], Slice]]:
    places = {setting: place for place, setting in enumerate(read.candidates)}
    usual = _baseline_rate(life)
    for each in maps:
        for frequency in each.frequencies_hz.tolist():
            settings = [
                setting
                for setting in places
                if setting.site == each.site
                and setting.frequency_hz == frequency
                and not setting.is_off
                and _is_shown(setting, shown)
            ]
            if not settings:
                continue
            settings.sort(key=lambda setting: setting.amplitude_ua)
            index = [places[setting] for setting in settings]
            permitted = [s.amplitude_ua for s in settings if read.is_permitted[places[s]]]
            observed = [
                (turn.lived.delivered.amplitude_ua / 1000, 100 * (rate / usual - 1))
                for turn in life.turns
                if turn.lived.delivered in settings
                and (rate := _rate_of(turn.lived.outcome.observation)) is not None
                and usual
            ]
            ma, percent = np.array(observed).reshape(-1, 2).T
            yield (
                (each.site, frequency),
                Slice(
                    site=each.site,
                    frequency_hz=frequency,
                    amplitudes_ma=np.array([s.amplitude_ua for s in settings]) / 1000,
                    middle=read.middle[index],
                    low=read.low[index],
                    high=read.high[index],
                    limit_ma=max(permitted) / 1000 if permitted else None,
                    observed_ma=ma,
                    observed=percent,
                ),
            )


def _rate_of(seen: Any) -> float | None:
    return None if seen.n_seizures is None else seen.n_seizures / seen.days_recorded


def _baseline_rate(life: Life) -> float:
    """Written seizures per recorded day of baseline, 0 when there are none."""
    seen = [turn.lived.outcome.observation for turn in life.turns if turn.phase == BASELINE]
    n_recorded = sum(each.days_recorded for each in seen)
    return sum(each.n_seizures or 0 for each in seen) / n_recorded if n_recorded else 0.0


def _table(read: Read, envelope: Envelope) -> Table:
    order = np.argsort(read.middle, kind="stable")
    rows = tuple(
        (
            "off" if setting.is_off else envelope.montages[setting.site].name,
            str(setting),
            f"{read.mean[place]:+.1f}",
            f"{read.sd[place]:.1f}",
            f"{read.low[place]:+.1f} to {read.high[place]:+.1f}",
            "yes" if read.is_permitted[place] else "no",
            "yes" if read.is_tolerated[place] else "no",
        )
        for place in order.tolist()
        for setting in (read.candidates[place],)
    )
    return Table(
        columns=(
            "site", "setting", "expected change of seizures (%)", "SD (points)",
            "90 % interval (%)", "within limits", "tolerated",
        ),
        rows=rows,
    )  # fmt: skip

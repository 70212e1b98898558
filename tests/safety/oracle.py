"""What is legal, from the text of an envelope file, in exact fractions; no code of safety in it."""

import tomllib
from bisect import bisect_right
from fractions import Fraction
from itertools import product

from protocols import OFF, Mode, Setting


class Oracle:
    def __init__(self, text: str) -> None:
        self.file = tomllib.loads(text)
        self.ticks = self.file["ticks"]
        self.limits = self.file["limits"]
        self.rise = self.file["rise"]
        self.contacts = {each["name"]: each for each in self.file["contacts"]}
        self.montages = [each["shares_permille"] for each in self.file["montages"]]
        self.known_charge: dict[tuple[int, int, int], bool] = {}

    def is_legal(self, s: Setting) -> bool:
        if s.amplitude_ua == 0:
            return True
        return (
            self.is_in_box(s)
            and self.keeps_pulse(s.frequency_hz, s.pulse_width_us)
            and self.keeps_duty(s.mode, s.on_ms, s.off_ms)
            and self.keeps_electrodes(s.site, s.amplitude_ua, s.pulse_width_us)
            and self.keeps_day(s)
        )

    def is_in_box(self, s: Setting) -> bool:
        cycle_ok = (s.on_ms, s.off_ms) == (0, 0)
        if s.mode != "continuous":
            cycle_ok = s.on_ms in self.ticks["on_ms"] and s.off_ms in self.ticks["off_ms"]
        return (
            s.site in range(len(self.montages))
            and s.amplitude_ua in self.ticks["amplitude_ua"]
            and s.frequency_hz in self.ticks["frequency_hz"]
            and s.pulse_width_us in self.ticks["pulse_width_us"]
            and s.mode.value in self.ticks["modes"]
            and cycle_ok
        )

    def keeps_pulse(self, frequency_hz: int, width_us: int) -> bool:
        pulse_s = Fraction(2 * width_us + self.file["pulse"]["interphase_gap_us"], 10**6)
        return pulse_s <= Fraction(1, frequency_hz)

    def keeps_duty(self, mode: str, on_ms: int, off_ms: int) -> bool:
        return self.duty(mode, on_ms, off_ms) <= Fraction(self.limits["max_duty_permille"], 1000)

    @staticmethod
    def duty(mode: str, on_ms: int, off_ms: int) -> Fraction:
        return Fraction(1) if mode == "continuous" else Fraction(on_ms, on_ms + off_ms)

    def keeps_day(self, s: Setting) -> bool:
        """Say whether every 24 h of this setting alone keep the limits of a day."""
        therapies, on_s = self.day(s.mode, s.on_ms, s.off_ms)
        day = self.file["day"]
        charge_uc = self.charge_per_s(s) * on_s / 1000
        return therapies <= day["max_therapies"] and charge_uc <= day["max_charge_uc"]

    @staticmethod
    def day(mode: str, on_ms: int, off_ms: int) -> tuple[int, Fraction]:
        """Return how many on-phases begin in the 24 h that begin with one, and their seconds."""
        if mode == "continuous":
            return 0, Fraction(86_400)
        starts = range(0, 86_400_000, on_ms + off_ms)
        last_ms = min(on_ms, 86_400_000 - starts[-1])
        return len(starts), Fraction((len(starts) - 1) * on_ms + last_ms, 1000)

    def keeps_electrodes(self, site: int, amplitude_ua: int, width_us: int) -> bool:
        key = site, amplitude_ua, width_us
        if key not in self.known_charge:
            self.known_charge[key] = self.work_out_electrodes(*key)
        return self.known_charge[key]

    def work_out_electrodes(self, site: int, amplitude_ua: int, width_us: int) -> bool:
        leads: dict[str, Fraction] = {}
        for name, permille in self.montages[site].items():
            contact = self.contacts[name]
            current_ma = Fraction(permille, 1000) * Fraction(amplitude_ua, 1000)
            if current_ma > Fraction(self.limits["max_contact_current_ua"], 1000):
                return False
            if not self.keeps_charge(current_ma * width_us / 1000, contact["area_um2"]):
                return False
            leads[contact["lead"]] = leads.get(contact["lead"], Fraction(0)) + current_ma
        return max(leads.values()) <= Fraction(self.limits["max_lead_current_ua"], 1000)

    def keeps_charge(self, charge_uc: Fraction, area_um2: int) -> bool:
        area_cm2 = Fraction(area_um2, 10**8)
        if charge_uc / area_cm2 > Fraction(self.limits["max_density_uc_per_cm2"]):
            return False
        k = Fraction(self.limits["shannon_k"])  # Q^2 <= A 10^k, raised to the denominator of k
        return charge_uc ** (2 * k.denominator) <= area_cm2**k.denominator * 10**k.numerator

    def cycles(self) -> list[tuple[Mode, int, int]]:
        modes = [Mode(each) for each in self.ticks["modes"]]
        cycles = [(Mode.CONTINUOUS, 0, 0)] if Mode.CONTINUOUS in modes else []
        cyclic = [mode for mode in modes if mode != "continuous"]
        return [*cycles, *product(cyclic, self.ticks["on_ms"], self.ticks["off_ms"])]

    def charge_per_s(self, s: Setting) -> Fraction:
        """Return nC per second while pulses run, over all contacts."""
        shares = sum(Fraction(each, 1000) for each in self.montages[s.site].values())
        return shares * Fraction(s.amplitude_ua * s.pulse_width_us * s.frequency_hz, 1000)


class RiseOracle:
    """Adds up what was delivered, and says when more rose within a window than the file permits."""

    def __init__(self, oracle: Oracle, *, limits: tuple[int, int, int] | None = None) -> None:
        self.oracle = oracle
        rise = oracle.rise
        self.limits = limits or (
            rise["amplitude_ua"],
            rise["charge_nc_per_s"],
            rise["duty_permille"],
        )
        self.window_s = rise["window_s"]
        self.times: list[int] = []
        self.rose = False
        self.sums: list[tuple[Fraction, Fraction, Fraction]] = [(Fraction(0),) * 3]

    def deliver(self, at_s: int, before: Setting, after: Setting) -> bool:
        """Take a delivery in; return whether the window that ends with it keeps the limits."""
        same = (before.site, before.pulse_width_us) == (after.site, after.pulse_width_us)
        old = self.levels(before) if same else (Fraction(0),) * 3
        new = self.levels(after)
        rise = tuple(max(Fraction(0), b - a) for a, b in zip(old, new, strict=True))
        self.rose = any(rise)
        self.times.append(at_s)
        self.sums.append(tuple(a + b for a, b in zip(self.sums[-1], rise, strict=True)))
        first = bisect_right(self.times, at_s - self.window_s)
        window = [a - b for a, b in zip(self.sums[-1], self.sums[first], strict=True)]
        return all(
            each <= limit or not step
            for each, limit, step in zip(window, self.limits, rise, strict=True)
        )

    def levels(self, s: Setting) -> tuple[Fraction, Fraction, Fraction]:
        if s.amplitude_ua == 0:
            return (Fraction(0),) * 3
        duty = 1000 * self.oracle.duty(s.mode, s.on_ms, s.off_ms)
        return Fraction(s.amplitude_ua), self.oracle.charge_per_s(s), duty


class DayOracle:
    """Follows what the device does by the ms, and says what 24 h of it hold, the next 24 included.

    A setting begins with an on-phase when it begins to be delivered, and goes on when it is
    delivered again.
    """

    DAY_MS = 86_400_000

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.begun: list[tuple[int, Setting]] = []

    def deliver(self, at_s: int, after: Setting) -> None:
        """Take in what is delivered from now on."""
        if after != (self.begun[-1][1] if self.begun else OFF):
            self.begun.append((1000 * at_s, after))

    def is_kept(self, at_s: int) -> bool:
        """Say whether each 24 h that begin or end with a change, or now, keep the file's limits.

        What is delivered now is taken to go on for 24 h.
        """
        now_ms, day = 1000 * at_s, self.oracle.file["day"]
        if sum(begin > now_ms - self.DAY_MS for begin, _ in self.begun) > day["max_changes"]:
            return False
        lasts = [*(begin for begin, _ in self.begun[1:]), now_ms + self.DAY_MS]
        parts = [
            (begin, last, setting)
            for (begin, setting), last in zip(self.begun, lasts, strict=True)
            if last > now_ms - self.DAY_MS and setting.amplitude_ua
        ]
        starts = {now_ms - self.DAY_MS, now_ms, *(begin for begin, _, _ in parts)}
        for start_ms in starts:
            end_ms = min(start_ms, now_ms) + self.DAY_MS
            uses = [self.use(part, end_ms - self.DAY_MS, end_ms) for part in parts]
            if sum(each[0] for each in uses) > day["max_therapies"]:
                return False
            if sum(each[1] for each in uses) > day["max_charge_uc"]:
                return False
        return True

    def use(self, part: tuple[int, int, Setting], start: int, end: int) -> tuple[int, Fraction]:
        """Return the on-phases that begin, and the µC, of one delivery within a window in ms."""
        begin, last, s = part
        first, past = max(start, begin) - begin, min(end, last) - begin
        if past <= first:
            return 0, Fraction(0)
        uc_per_ms = self.oracle.charge_per_s(s) / 1_000_000
        if s.mode == "continuous":
            return 0, uc_per_ms * (past - first)
        period = s.on_ms + s.off_ms
        on_ms = [whole * s.on_ms + min(rest, s.on_ms) for whole, rest in
                 (divmod(past, period), divmod(first, period))]  # fmt: skip
        return -(-past // period) + (-first // period), uc_per_ms * (on_ms[0] - on_ms[1])

import torch
from stories import LIST

from neurostim.encoding import FEATURES, Encoding
from protocols import OFF, Mode, Setting


def test_features_span_the_unit_interval_and_keep_the_site() -> None:
    encoded = Encoding.of(LIST).settings(LIST)
    assert encoded.shape == (len(LIST), len(FEATURES))
    assert encoded.dtype == torch.float64
    on = encoded[1:]
    assert on[:, 0].unique().tolist() == torch.tensor([1 / 3, 2 / 3, 1], dtype=on.dtype).tolist()
    assert on[:, 1].unique().tolist() == [0.0, 1.0]
    assert on[:, 4].unique().tolist() == [0.0, 1.0]
    assert encoded[0, 0] == 0


def test_equal_steps_in_log_frequency_are_equal_steps() -> None:
    settings = tuple(
        Setting(site=0, amplitude_ua=1000, frequency_hz=hz, pulse_width_us=90)
        for hz in (2, 20, 200)
    )
    torch.testing.assert_close(
        Encoding.of(settings).settings(settings)[:, 1],
        torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64),
    )


def test_duty_is_the_share_of_time_on() -> None:
    cycling = Setting(
        site=0, amplitude_ua=1000, frequency_hz=5, pulse_width_us=90,
        on_ms=1, off_ms=3, mode=Mode.CYCLING,
    )  # fmt: skip
    duty = Encoding.of((OFF, cycling)).settings((cycling, LIST[1]))[:, 3]
    assert duty.tolist() == [0.25, 1.0]

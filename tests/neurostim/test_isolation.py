"""Whatever a controller does to its process, its patients are held in time, and nothing is left."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import isolated_faults
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isolated_faults import FAULTS, GOOD, HEALTHY
from running import Run
from stories import LIST

import neurostim
import protocols
from neurostim import isolation
from neurostim.asking import Wish, ask
from neurostim.controllers import CONTROLLERS, Context, Fault
from neurostim.history import History
from neurostim.isolation import Companion, Isolated, isolate
from neurostim.isolation_messages import GarbledError, pack_answer, unpack_answer
from neurostim.results import rerun_command
from protocols import OFF, InputError, Setting
from protocols.design import Arm

CONTEXT = Context(candidates=LIST, seed=3)
DEADLINE_S = 0.3
START_S = 60.0
LATEST_S = 1.0
"""SR-15: how long after the deadline a patient is held at the latest."""

MEMORY_MB = 600
FIXED = {"setting": {"site": 1, "amplitude_ua": 2000, "frequency_hz": 145, "pulse_width_us": 90}}
SHORT = {
    "schedule.baseline_days": 28,
    "schedule.treatment_days": 84,
    "schedule.evaluation_days": 28,
}


def isolated(entry: str = "isolated_faults:Faulty", **changes: Any) -> Isolated:
    limits = {"deadline_s": DEADLINE_S, "start_s": START_S, "memory_mb": MEMORY_MB}
    return Isolated(**{"name": entry, "options": {}, **limits, **changes})


def everything(history: History) -> np.ndarray:
    return np.ones((history.n_patients, len(LIST)), dtype=np.bool_)


def wishes_of(controller: Isolated, state: Companion, *patients: int) -> list[Wish]:
    history = History.empty(patients)
    after, wishes = ask(controller, state, history, everything(history))
    assert after is state
    return wishes


def session_of(leader: int) -> list[int]:
    """Processes of the session of this process, dead ones that we did not wait for included.

    What a controller's process leaves behind is the system's to wait for, once it is dead.
    """
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,sess=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [
        int(pid)
        for pid, session, parent, state in rows
        if session == str(leader) and (parent == str(os.getpid()) or not state.startswith("Z"))
    ]


def is_empty_soon(leader: int, within_s: float = LATEST_S) -> bool:
    """Whether no process of the session is left, now or within a second."""
    until = time.monotonic() + within_s
    while session_of(leader):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def held_after(controller: Isolated, state: Companion, fault: Any) -> float:
    """Ask about the patient that stands for a fault; how long past the deadline the hold came."""
    state.start()
    assert wishes_of(controller, state, HEALTHY) == [Wish(setting=GOOD)]
    pid = state.pid
    assert pid is not None
    assert session_of(pid)
    began = time.monotonic()
    wishes = wishes_of(controller, state, 1 + list(FAULTS).index(fault))
    late_s = time.monotonic() - began - controller.deadline_s
    assert [wish.setting for wish in wishes] == [None]
    assert FAULTS[fault] in wishes[0].fault
    if state.pid is None:
        assert is_empty_soon(pid)
    return late_s


@pytest.fixture(scope="module")
def faulty() -> Iterator[tuple[Isolated, Companion]]:
    controller = isolated(max_restarts=1_000)
    state = controller.init(CONTEXT)
    yield controller, state
    state.close()


@pytest.mark.req("SR-15")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_a_hold_within_a_second_of_the_deadline(
    faulty: tuple[Isolated, Companion], fault: Any
) -> None:
    assert held_after(*faulty, fault) < LATEST_S


@pytest.mark.slow
@pytest.mark.req("SR-15")
def test_two_hundred_faults_in_any_order_are_holds_in_time_and_leave_nothing() -> None:
    controller = isolated(max_restarts=1_000)
    state = controller.init(CONTEXT)
    kinds = list(FAULTS) * 10
    random.Random(5).shuffle(kinds)
    n_open = len(os.listdir("/dev/fd"))
    late_s = [held_after(controller, state, fault) for fault in kinds]
    print(f"{len(late_s)} faults, the latest hold {max(late_s):.3f} s past the deadline")
    assert len(late_s) == 200
    assert max(late_s) < LATEST_S
    state.start()
    assert len(os.listdir("/dev/fd")) == n_open
    state.close()
    assert len(os.listdir("/dev/fd")) == n_open - 2


@pytest.mark.req("SR-15")
@pytest.mark.parametrize("fault", ["hang", "vanish", "raise_deeply", "fork"])
def test_a_fault_while_it_starts_is_a_fault_of_every_question(fault: str) -> None:
    controller = isolated(options={"in_init": fault}, start_s=3.0, max_restarts=1)
    began = time.monotonic()
    state = controller.init(CONTEXT)
    assert time.monotonic() - began < 3.0 + LATEST_S
    assert state.pid is None
    [wish] = wishes_of(controller, state, HEALTHY)
    assert wish.fault.startswith("it did not start: ")
    assert wishes_of(controller, state, HEALTHY) == [
        Wish(fault="it was restarted 1 times, no more")
    ]


def test_a_restart_is_counted_and_the_new_process_knows_only_the_history() -> None:
    controller = isolated("isolated_faults:Counting", max_restarts=1)
    state = controller.init(CONTEXT)
    vanish = 1 + list(FAULTS).index(isolated_faults.vanish)

    def amplitude_ua() -> int:
        [wish] = wishes_of(controller, state, HEALTHY)
        assert wish.requested is not None, wish.fault
        return wish.requested.amplitude_ua

    assert [amplitude_ua(), amplitude_ua()] == [1000, 1001]
    assert wishes_of(controller, state, vanish)[0].fault
    assert [amplitude_ua(), amplitude_ua()] == [1000, 1001]
    assert wishes_of(controller, state, vanish)[0].fault
    assert wishes_of(controller, state, HEALTHY)[0].fault == "it was restarted 1 times, no more"
    assert state.pid is None


def test_one_that_was_killed_between_two_questions_is_replaced_unnoticed() -> None:
    controller = isolated(max_restarts=0)
    state = controller.init(CONTEXT)
    for _ in range(2):
        assert state.pid is not None
        os.kill(state.pid, signal.SIGKILL)
        os.waitid(os.P_PID, state.pid, os.WEXITED | os.WNOWAIT)
        assert wishes_of(controller, state, HEALTHY) == [Wish(setting=GOOD)]
    state.close()


def test_a_patient_whose_data_poisons_the_batch_is_held_alone() -> None:
    controller = isolated()
    state = controller.init(CONTEXT)
    poisoned = 1 + list(FAULTS).index(isolated_faults.raise_deeply)
    first, second, third = wishes_of(controller, state, HEALTHY, poisoned, HEALTHY)
    assert (first, third) == (Wish(setting=GOOD), Wish(setting=GOOD))
    assert second == Wish(fault="ZeroDivisionError: a poisoned diary [31m ")
    state.close()


def test_what_is_no_setting_is_a_fault_and_prints_are_lost() -> None:
    controller = isolated("isolated_faults:Odd")
    state = controller.init(CONTEXT)
    wishes = wishes_of(controller, state, *range(6))
    assert [wish.setting for wish in wishes] == [GOOD, None, None, None, OFF, None]
    assert [wish.fault for wish in wishes] == [
        "",
        "nothing was proposed",
        "NaN was proposed",
        "a str was proposed, no setting",
        "",
        "a setting beyond all devices was proposed",
    ]
    state.close()


@pytest.mark.req("SR-15")
def test_recommending_is_asking_too() -> None:
    controller = isolated()
    state = controller.init(CONTEXT)
    history = History.empty([HEALTHY])
    assert controller.recommend(state, history, everything(history)) == (state, [None])
    history = History.empty([1 + list(FAULTS).index(isolated_faults.hang)] * 2)
    fault = Fault(sentence=f"no answer within {DEADLINE_S} s; its process was ended")
    assert controller.recommend(state, history, everything(history)) == (state, [fault] * 2)


def test_the_process_inherits_no_file_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", "secret")
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    controller = isolated("isolated_faults:Curious")
    state = controller.init(CONTEXT)
    [wish] = wishes_of(controller, state, HEALTHY)
    assert wish.fault.startswith("RuntimeError: 5 open, ['")  # three that lead nowhere, two pipes
    assert "MKL_NUM_THREADS" in wish.fault
    assert "TOKEN" not in wish.fault
    assert "HOME" not in wish.fault
    state.close()
    os.close(reading)
    os.close(writing)


@pytest.mark.req("SR-15")
@pytest.mark.parametrize("fault", ["", "hang", "stop", "match_forever"])
def test_no_process_outlives_ours(fault: str) -> None:
    patient = 1 + [each.__name__ for each in FAULTS].index(fault) if fault else HEALTHY
    code = f"""
import numpy as np, time
from test_isolation import CONTEXT, everything, isolated
from neurostim.history import History
controller = isolated(deadline_s=60.0)
state = controller.init(CONTEXT)
print(state.pid, flush=True)
history = History.empty([{patient}])
controller.propose(state, history, everything(history))
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)  # for the fault to begin
    assert session_of(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert is_empty_soon(child, within_s=5)


def test_a_forgotten_companion_takes_its_process_along() -> None:
    controller = isolated()
    state = controller.init(CONTEXT)
    pid = state.pid
    assert pid is not None
    del state
    assert not session_of(pid)


def test_an_interrupt_ends_the_process_and_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    controller = isolated(deadline_s=30.0)
    state = controller.init(CONTEXT)
    pid = state.pid
    assert pid is not None
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(KeyboardInterrupt):
        wishes_of(controller, state, 1 + list(FAULTS).index(isolated_faults.hang))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert not session_of(pid)
    assert wishes_of(controller, state, HEALTHY) == [Wish(setting=GOOD)]
    state.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entry": "nobody"}, "controller 'nobody': one of sham, fixed"),
        ({"deadline_s": 0}, "deadline_s = 0: a number above 0"),
        ({"deadline_s": float("nan")}, "deadline_s = nan: a number above 0"),
        ({"start_s": True}, "start_s = True: a number above 0"),
        ({"memory_mb": 0.5}, "memory_mb = 0.5: a whole number from 1"),
        ({"max_restarts": -1}, "max_restarts = -1: a whole number from 0"),
        ({"options": {"a": object()}}, "controller.options: what JSON can hold"),
    ],
)
def test_limits_and_options_that_are_none_are_refused(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        isolated(**changes)


@pytest.mark.parametrize(
    ("entry", "options", "sentence"),
    [
        ("random", {"beta": 1}, "arms.here.options.beta = 1: this key is unknown"),
        ("fixed", FIXED | {"setting": FIXED["setting"] | {"site": 9}}, "setting = site 9"),
        ("isolated_faults:Faulty", {"in_init": "refuse"}, "in_init = refuse"),
        ("isolated_faults:Nobody", {}, "'isolated_faults:Nobody': not found"),
        ("no_such_module:Faulty", {}, "'no_such_module:Faulty': not found"),
    ],
)
def test_options_that_do_not_fit_are_a_sentence_as_they_are_in_process(
    entry: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        isolated(entry, options=options, place="arms.here").init(CONTEXT)
    assert sentence in str(caught.value)


settings = st.builds(
    Setting,
    site=st.integers(0, 3),
    amplitude_ua=st.integers(0, 2**62),
    frequency_hz=st.integers(0, 300),
    pulse_width_us=st.integers(0, 500),
)
proposals = st.lists(
    st.one_of(settings, st.none(), st.builds(Fault, sentence=st.text("ab 🧠", min_size=1)))
)


@given(proposals, st.integers(1, 9))
def test_an_answer_comes_back_as_it_was(sent: list[Any], number: int) -> None:
    assert unpack_answer(pack_answer(number, sent), number, len(sent)) == sent
    with pytest.raises(GarbledError, match="number"):
        unpack_answer(pack_answer(number, sent), number + 1, len(sent))
    with pytest.raises(GarbledError):
        unpack_answer(pack_answer(number, sent), number, len(sent) + 1)


@given(proposals, st.data())
def test_a_spoiled_answer_is_garbled_or_still_a_list_of_proposals(
    sent: list[Any], data: st.DataObject
) -> None:
    message = bytearray(pack_answer(1, sent))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(12, len(message) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(12, len(message)))
    try:
        found = unpack_answer(bytes(message[:cut]), 1, len(sent))
    except GarbledError:
        return
    assert len(found) == len(sent)
    assert all(each is None or type(each) in (Setting, Fault) for each in found)


@pytest.mark.parametrize(
    "header",
    [
        '{"kind": "answer", "number": 1, "faults": [], '
        '"shapes": {"settings": [0, 4611686018427387904, 8]}}',
        '{"kind": "answer", "number": 1, "faults": [""], "shapes": {"settings": [true, 7]}}',
        '{"kind": "answer", "number": true, "faults": [], "shapes": {"settings": [0, 7]}}',
        '{"kind": "answer", "number": 1, "faults": [3], "shapes": {"settings": [0, 7]}}',
        '{"kind": "start", "number": 1, "shapes": {"candidates": [0, 7]}}',
        '{"kind": ["answer"]}',
        '{"kind": "pickle", "shapes": {}}',
        '{"kind": "answer", "number": 1, "faults": [], '
        '"shapes": {"settings": [0, 2147483648, 2147483648]}}',
        "[" * 100_000,
        "1" * 5_000,
        "NaN",
    ],
    ids=range(11),
)  # fmt: skip
def test_hostile_headers_are_garbled(header: str) -> None:
    text = header.encode()
    with pytest.raises(GarbledError):
        unpack_answer(len(text).to_bytes(8, "big") + len(text).to_bytes(4, "big") + text, 1, 0)


def design_of(folder: Path, arms: dict[str, str]) -> Path:
    """The shipped design with these arms: of each name, the rest of its table."""
    shipped = (Path(protocols.__file__).parent / "designs" / "learned.toml").read_text("utf-8")
    text = shipped.partition("[[arms]]")[0]
    for name, rest in arms.items():
        text += f'[[arms]]\nname = "{name}"\n{rest}\n'
    path = folder / "short.toml"
    path.write_text(text, encoding="utf-8")
    return path


def check_that_a_short_trial_is_the_same(folder: Path, names: list[str]) -> None:
    options = {
        "population-best": 'options.prior = "demo"',
        "fixed": "options.setting = { site = 0, amplitude_ua = 4000, frequency_hz = 145, "
        "pulse_width_us = 90 }",
    }
    arms = {name: f'controller = "{name}"\n{options.get(name, "")}' for name in names}
    arms["gp-learned"] = 'controller = "gp"\noptions.prior = "demo"'
    design = design_of(folder, {"sham": 'controller = "sham"'} | arms)
    here, apart = (
        neurostim.run_trial(
            design, n_patients=3, seed=2, compute="cpu", overrides=SHORT, is_isolated=is_isolated
        )
        for is_isolated in (False, True)
    )
    assert here.manifest["is_isolated"] is False
    assert apart.manifest["is_isolated"] is True
    epochs = here.epochs()
    assert (epochs["fault"] == "").all()
    pandas.testing.assert_frame_equal(epochs, apart.epochs())
    treated = epochs[epochs["phase"] == "treatment"]
    assert set(treated["arm"]) == {"sham", *arms}
    assert (treated["requested_amplitude_ua"] > 0).any()


@pytest.mark.req("SR-15")
def test_a_short_trial_is_the_same_in_processes_of_their_own(tmp_path: Path) -> None:
    check_that_a_short_trial_is_the_same(tmp_path, ["random", "titration"])


@pytest.mark.slow
@pytest.mark.req("SR-15")
def test_every_controller_is_the_same_in_a_process_of_its_own(tmp_path: Path) -> None:
    check_that_a_short_trial_is_the_same(tmp_path, [name for name in CONTROLLERS if name != "sham"])


@pytest.mark.req("SR-15")
def test_a_single_patient_is_treated_by_one_of_its_own_and_held_when_it_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONTROLLERS, "faulty", "isolated_faults:Hanging")
    monkeypatch.setattr(isolation, "DEADLINE_S", DEADLINE_S)
    arms = {"sham": 'controller = "sham"', "faulty": 'controller = "faulty"'}
    result = neurostim.run_trial(
        design_of(tmp_path, arms), n_patients=1, seed=2, compute="cpu", overrides=SHORT
    )
    assert result.manifest["is_isolated"] is True
    epochs = result.epochs()
    treated = epochs[(epochs["arm"] == "faulty") & (epochs["phase"] == "treatment")]
    late = f"no answer within {DEADLINE_S} s; its process was ended"
    assert list(treated["fault"]) == [late] * 4 + ["it was restarted 3 times, no more"] * 2
    assert (treated["delivered_amplitude_ua"] == 0).all()
    assert set(treated["ruling"]) == {"held", "fallen-back"}
    assert treated["findings"].str.len().min() > 0


def test_the_command_line_isolates_and_the_report_says_so(run: Run, tmp_path: Path) -> None:
    design = design_of(
        tmp_path, {name: f'controller = "{name}"' for name in ("sham", "random", "titration")}
    )
    changes = [f"--set={key}={value}" for key, value in SHORT.items()]
    for flag, words in (
        ("--isolated", "each in a process of its own, within deadlines"),
        ("--in-process", "in the process of the trial"),
    ):
        out = tmp_path / flag.strip("-")
        code, _, complaint = run("run", str(design), *changes, flag, "--out", str(out))
        assert code == 0, complaint
        assert run("report", str(out))[0] == 0
        page = (out / "report.html").read_text(encoding="utf-8")
        assert words in page
        assert flag in page
    code, _, complaint = run("run", str(design), *changes, "--isolated", "--out", str(out))
    assert code == 2
    assert "its is_isolated is False, not True" in complaint


def test_the_command_to_run_again_says_what_was_asked_for() -> None:
    assert rerun_command("demo", {}, 1) == "neurostim run demo --seed 1"
    assert rerun_command("demo", {}, 1, True) == "neurostim run demo --seed 1 --isolated"
    assert rerun_command("demo", {}, 1, False) == "neurostim run demo --seed 1 --in-process"


def test_an_arm_is_isolated_with_its_options_and_limits() -> None:
    arm = Arm(name="here", controller="random", options={"beta": 1})
    assert isolate(arm).deadline_s == isolation.DEADLINE_S
    with pytest.raises(InputError, match=r"arms\.here\.options\.beta = 1"):
        isolate(arm).init(CONTEXT)

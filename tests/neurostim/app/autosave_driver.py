"""Works in a session for ever, and tells on its output how far it has come; the test kills it."""

import sys
from pathlib import Path

from neurostim.app.session import Session
from safety import Person, Role


def main() -> None:
    """Open the sample, branch, tighten, and step until somebody kills the process."""
    session = Session(Path(sys.argv[1]))
    session.open_sample().wait()
    session.choose_policy("titration")
    session.branch("held", 160, "hold").wait()
    session.tighten("amplitude_ua", "3", Person("Dr A", Role.CLINICIAN))
    while True:
        session.step().wait()
        print(session.status().day, flush=True)


if __name__ == "__main__":
    main()

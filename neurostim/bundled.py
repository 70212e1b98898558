"""What a bundled neurostim starts: the app, the command line, or a controller's process.

A bundle holds one program and no Python beside it; so where our processes are started as
`PROGRAM -I -B -c CODE ARGUMENTS`, that program is this one.
"""

import sys

from neurostim.command_line import main

CODE = "-c"
FLAGS = ("-I", "-B", "-E", "-s", CODE)


def start(arguments: list[str]) -> None:
    """Run what the arguments say; without any, open the app."""
    n_flags = next((n for n, each in enumerate(arguments) if each not in FLAGS), len(arguments))
    if CODE in arguments[:n_flags]:
        sys.argv = [CODE, *arguments[n_flags + 1 :]]
        exec(arguments[n_flags], {"__name__": "__main__"})
        return
    sys.argv[1:] = arguments or ["app"]
    main()


if __name__ == "__main__":
    start(sys.argv[1:])

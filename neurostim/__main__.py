"""`python -m neurostim` is the command line."""

from neurostim.command_line import main

if __name__ == "__main__":
    main()

"""The command `python -m training.prepare`; the work is in data/prepare.py."""

from .data.prepare import main

if __name__ == "__main__":
    main()

"""The command `python -m training.examples`; the work is in publish/examples.py."""

from .publish.examples import main

if __name__ == "__main__":
    main()

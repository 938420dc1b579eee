"""The command `python -m training.space`; the work is in publish/space.py."""

from .publish.space import main

if __name__ == "__main__":
    main()

"""The command `python -m training.card`; the work is in publish/card.py."""

from .publish.card import main

if __name__ == "__main__":
    main()

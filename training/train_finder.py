"""The command `python -m training.train_finder`; the work is in finder/train.py."""

from .finder.train import main

if __name__ == "__main__":
    main()

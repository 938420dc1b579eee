"""The command `python -m training.evaluate`; the work is in evaluation/evaluate.py."""

from .evaluation.evaluate import main

if __name__ == "__main__":
    main()

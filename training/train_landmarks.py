"""The command `python -m training.train_landmarks`; the work is in finder/landmarks.py."""

from .finder.landmarks import main

if __name__ == "__main__":
    main()

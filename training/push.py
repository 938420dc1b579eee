"""The command `python -m training.push`; the work is in publish/push.py."""

from .publish.push import main

if __name__ == "__main__":
    main()

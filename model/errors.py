"""What is said where something can't be done."""


class PlainError(ValueError):
    """Its text is one plain sentence for the person who asked: what is wrong, and what to do."""

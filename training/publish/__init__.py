"""Weights go out: model card, the README's pictures, the Hub, a Space."""

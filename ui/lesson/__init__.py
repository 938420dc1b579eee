"""The tab "How it works": a lesson to play with, each part computed live."""

from .page import build_lesson

__all__ = ["build_lesson"]

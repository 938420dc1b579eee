"""The head finder is trained here; model/finder.py runs it."""

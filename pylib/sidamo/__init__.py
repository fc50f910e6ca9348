"""Sidamo: Kaldi's way of working, in Python."""

"""Scoring: alignment, word error rate, confidence intervals, significance, normalization, and NIST's file formats."""

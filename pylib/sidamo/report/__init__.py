"""The report of an experiment: one self-contained HTML page with its errors, its sound and its graphs."""

"""Kaldi's files: tables, matrices, symbol tables, options, errors. Modules are imported one by one where they are needed."""

"""Kaldi's files: tables, matrices, symbol tables, options, errors. Import the modules you need one by one."""

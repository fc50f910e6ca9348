"""Acoustic modelling: batches, networks, the CTC loss, the training loop, log-likelihoods, priors, alignment.

The only package that imports torch. Its inputs are Kaldi archives of normalized features and of integer targets; its
outputs are `final.pt` and Kaldi archives of log-likelihoods. Nothing is imported here, because `import torch` takes
over a second: name the module you want (`from sidamo.am.trainer import Trainer`).
"""

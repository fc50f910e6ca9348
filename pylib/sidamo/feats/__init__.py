"""The feature front end: from waveforms in int16 scale to matrices of frames, with Kaldi's definitions and numbers."""

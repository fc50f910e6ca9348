"""Acoustic costs given back to the frames that they came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.lattice import Lattice, properties_after_new_costs, top_sort
from sidamo.lattice.ops import state_times


class FrameCosts:
    """Mean acoustic cost of each label at each frame of a lattice (Kaldi's ComputeAcousticScoresMap).

    Composition and determinization move costs along a path; in state-level form each arc gets its own back. Where an
    arc without label or a final state has an acoustic cost, costs have been moved before, and are left as they are
    (Kaldi asserts that there is none).
    """

    def __init__(self, lat: Lattice, key: str | None = None):
        lat = top_sort(lat, key)
        labelled = lat.ilabel != 0
        self.known = not lat.acoustic_cost[~labelled].any() and not lat.final_acoustic[lat.is_final()].any()
        self._width = int(lat.ilabel.max(initial=0)) + 1
        self._keys, place = np.unique(self._frames_and_labels(lat)[labelled], return_inverse=True)
        count = np.bincount(place, minlength=len(self._keys))
        self._mean = np.bincount(place, lat.acoustic_cost[labelled], minlength=len(self._keys)) / np.maximum(count, 1)

    def _frames_and_labels(self, lat: Lattice) -> np.ndarray:
        return state_times(lat)[0][lat.arc_source()] * self._width + lat.ilabel

    def put_back(self, lat: Lattice, key: str | None = None) -> Lattice:
        """A lattice made from the one that is known, with that one's acoustic costs (Kaldi's ReplaceAcousticScoresFromMap)."""
        if not self.known or lat.start < 0:
            return lat
        lat = top_sort(lat, key)
        cost, labelled = np.zeros(lat.num_arcs), lat.ilabel != 0
        wanted = self._frames_and_labels(lat)[labelled]
        place = np.searchsorted(self._keys, wanted)
        if np.any(np.append(self._keys, -1)[place] != wanted):
            raise DataError("labels do not stand at the frames where they stood: paths of different lengths", key=key)
        cost[labelled] = self._mean[place]
        final = np.where(lat.is_final(), 0.0, lat.final_acoustic)
        properties = properties_after_new_costs(lat)
        return replace(lat, acoustic_cost=cost, final_acoustic=final, properties=properties)

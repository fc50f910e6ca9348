"""Speed of the decoders, as ratios against the peers FasterDecoder and LatticeSimpleDecoder of the wheel kaldi-decoder.

Example: .venv/bin/pip install kaldi-decoder kaldifst   (kaldifst: to hand the peer its graph)
         .venv/bin/python tests/bench/decode.py --folder /some/place/with/2/GB
         .venv/bin/python tests/bench/decode.py --folder /some/place --utterances 10 --rounds 5 --beams 13,16

The graph is that of large_graph.py (made in the folder on the first run): 126,000 words, 1.2 million n-grams. The CTC
topology is the correct one, or the modified one whose unit states lead back by an epsilon (called compact elsewhere):
in both the peer searches TLG, and ours searches the same TLG, then LG with that topology inside. Each round runs ours
and the peer one after the other on the same utterances, one thread each, and counts processor time of that thread; a
ratio is the median over the rounds. Best paths are compared on the way.

Measure on a quiet machine: other processes slow the peer more than ours (it allocates each token, and misses the caches
more often), which flatters the ratios.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
MAX_ACTIVE = 7000
LATTICE_BEAM = 8.0
TIMES = 8  # that the utterances go through the threads: a search of its own for each thread takes 0.05 s to make


def seconds_of(function) -> tuple[float, object]:
    start = time.thread_time()
    result = function()
    return time.thread_time() - start, result


def ours(search, matrices, lattice: bool = False):
    """Costs of the best paths; with lattices made."""
    costs = []
    for matrix in matrices:
        search.reset()
        search.advance(matrix)
        if lattice:
            search.raw_lattice()
        path = search.best_path()
        costs.append(path.graph_cost + path.acoustic_cost)
    return costs


class Peer:
    """The wheel's two decoders on the same file."""

    def __init__(self, graph: pathlib.Path):
        import kaldi_decoder
        import kaldifst

        self.kd = kaldi_decoder
        self.fst = kaldifst.StdConstFst.read(str(graph))

    def best(self, beam: float, matrices):
        decoder = self.kd.FasterDecoder(self.fst, self.kd.FasterDecoderOptions(beam=beam, max_active=MAX_ACTIVE))
        costs = []
        for matrix in matrices:
            decoder.decode(self.kd.DecodableCtc(matrix))
            done, path = decoder.get_best_path()
            costs.append(path_cost(path) if done else float("inf"))
        return costs

    def lattices(self, beam: float, matrices):
        options = self.kd.LatticeSimpleDecoderConfig(beam=beam, lattice_beam=LATTICE_BEAM)
        decoder = self.kd.LatticeSimpleDecoder(self.fst, options)
        for matrix in matrices:
            decoder.init_decoding()
            decoder.decode(self.kd.DecodableCtc(matrix))
            decoder.get_raw_lattice()


def path_cost(path) -> float:
    """Total cost of the peer's linear lattice."""
    import kaldifst

    _, _, _, weight = kaldifst.get_linear_symbol_sequence(path)
    return weight.value1 + weight.value2


def report(what: str, our_times, peer_times, frames: int) -> None:
    ratio = statistics.median(p / o for o, p in zip(our_times, peer_times, strict=True))
    print(f"{what:<52} ratio {ratio:6.2f}   ours {frames / statistics.median(our_times):8.0f} frames/s"
          f"   peer {frames / statistics.median(peer_times):8.0f}", flush=True)  # fmt: skip


def paired(what: str, our_function, peer_function, frames: int, rounds: int):
    """Alternate the two; print the median ratio; return the results of the last round."""
    our_function()  # compiles, and warms the caches
    our_times, peer_times = [], []
    for _ in range(rounds):
        seconds, result = seconds_of(our_function)
        our_times.append(seconds)
        seconds, peer_result = seconds_of(peer_function)
        peer_times.append(seconds)
    report(what, our_times, peer_times, frames)
    return result, peer_result


def same(costs, peer_costs) -> None:
    """How many best paths cost the same."""
    close = sum(abs(a - b) < 1e-3 + 1e-5 * abs(b) for a, b in zip(costs, peer_costs, strict=True))
    better = sum(a < b - 1e-3 for a, b in zip(costs, peer_costs, strict=True))
    print(f"    same cost as the peer on {close} of {len(costs)} utterances, lower on {better}")


def threads(make_search, matrices, rounds: int) -> None:
    """Two threads against one, by the clock (a busy machine spoils it)."""
    from sidamo.decode.parallel import in_order

    def worker():
        search = make_search()
        return lambda key, matrix: ours(search, [matrix])

    def run(count):
        start = time.perf_counter()
        for _ in in_order(enumerate(matrices * TIMES), worker, count):
            pass
        return time.perf_counter() - start

    run(2)
    ratios = [run(1) / run(2) for _ in range(rounds)]
    print(f"{'two threads against one (one shared graph)':<52} ratio {statistics.median(ratios):6.2f}")


def skipping(make_search, matrices, rounds: int) -> None:
    """What --blank-skip-thresh gains and costs."""
    frames = sum(map(len, matrices))
    plain = make_search(1.0)
    base_times = [seconds_of(lambda: ours(plain, matrices)) for _ in range(rounds)]
    base = statistics.median(t for t, _ in base_times)
    for threshold in (0.99, 0.98, 0.95, 0.9):
        search = make_search(threshold)
        ours(search, matrices)
        times = [seconds_of(lambda search=search: ours(search, matrices)) for _ in range(rounds)]
        median = statistics.median(t for t, _ in times)
        worse = np.array(times[0][1]) - np.array(base_times[0][1])
        print(f"    --blank-skip-thresh={threshold:<5} {base / median:5.2f} times as fast "
              f"({frames / median:.0f} frames/s); "
              f"best path dearer on {int((worse > 1e-3).sum())} of {len(worse)} utterances")  # fmt: skip


def determinization(search, matrices) -> None:
    """Time of determinization as a share of the time of decoding into raw lattices."""
    from sidamo.lattice.determinize import determinize

    totals = np.zeros((2, 2))
    for warm in range(2):  # in the first pass its kernel is compiled, once there is enough work for it
        for matrix in matrices:

            def decode(matrix=matrix):
                search.reset()
                search.advance(matrix)
                return search.raw_lattice()

            seconds, lattice = seconds_of(decode)
            more, _ = seconds_of(lambda lattice=lattice: determinize(lattice, LATTICE_BEAM, as_decoded=True))
            totals[warm] += seconds, more
    decode_time, determinize_time = totals[1]
    print(f"{'determinization / decoding into raw lattices':<52} share {determinize_time / decode_time:6.2f}")


PEER_PROCESS = """
import sys, numpy, kaldifst, kaldi_decoder as kd
fst = kaldifst.StdConstFst.read(sys.argv[1])
decoder = kd.FasterDecoder(fst, kd.FasterDecoderOptions(beam=13, max_active=7000))
import kaldiio
for key, matrix in kaldiio.load_ark(sys.argv[2]):
    decoder.decode(kd.DecodableCtc(numpy.ascontiguousarray(matrix)))
    decoder.get_best_path()
"""


def process_seconds(command) -> tuple[float, float]:
    """(processor time, time by the clock) of a process from start to end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start


def whole_process(folder: pathlib.Path, matrices, rounds: int) -> None:
    """decode-faster from start to end against the peer in a Python process: one utterance, and all of them.

    Ours has run before on this machine: its compiled code and the arranged graph are kept from then.
    """
    from sidamo.io.tables import Writer

    tool = pathlib.Path(sys.executable).parent / "decode-faster"
    common = [str(tool), "--acoustic-scale=1.0", "--beam=13", f"--max-active={MAX_ACTIVE}"]
    inside = ["--ctc-topo=correct", f"--tokens={folder / 'tokens.txt'}"]
    lg, tlg = folder / "LG.fst", folder / "TLG.correct.fst"
    for count in (1, len(matrices)):
        archive = folder / f"loglikes.{count}.ark"
        with Writer(f"ark:{archive}", "matrix") as out:
            for i in range(count):
                out.write(f"utt{i:03}", matrices[i])
        commands = {
            "LG": [*common, *inside, str(lg), f"ark:{archive}", "ark:/dev/null"],
            "TLG": [*common, str(tlg), f"ark:{archive}", "ark:/dev/null"],
            "peer": [sys.executable, "-c", PEER_PROCESS, str(tlg), str(archive)],
        }
        times = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                seconds = process_seconds(command)
                if number > 0:
                    times[name].append(seconds)
        (lg_cpu, lg_clock), (tlg_cpu, tlg_clock), (cpu, clock) = (
            [statistics.median(column) for column in zip(*times[name], strict=True)] for name in commands
        )
        print(f"whole process, {count:2} utterances, processor time: LG {lg_cpu:.2f} s, TLG {tlg_cpu:.2f} s, peer "
              f"{cpu:.2f} s; ratio LG {cpu / lg_cpu:.2f}, TLG {cpu / tlg_cpu:.2f}; by the clock {clock / lg_clock:.2f}, "
              f"{clock / tlg_clock:.2f}", flush=True)  # fmt: skip


def one_beam(beam, name, kind, graph, options, peer, matrices, rounds, parts) -> None:
    """Best paths and lattices of one kind of graph."""
    frames = sum(map(len, matrices))
    if "best" in parts:
        search = kind(graph, options[0])
        result = paired(f"{beam}, best path, {name}", lambda: ours(search, matrices),
                        lambda: peer.best(options[0].beam, matrices), frames, rounds)  # fmt: skip
        same(*result)
    if "lattice" in parts:
        with_lattice = kind(graph, options[1])
        paired(f"{beam}, raw lattice, {name}", lambda: ours(with_lattice, matrices, True),
               lambda: peer.lattices(options[1].beam, matrices), frames, rounds)  # fmt: skip


def prepare(folder: pathlib.Path):
    if not (folder / "loglikes.npz").exists():
        subprocess.run([sys.executable, str(HERE / "large_graph.py"), str(folder)], check=True)
    if not (folder / "tokens.txt").exists():
        names = ["<eps>", "<blk>", *(f"P{i}" for i in range(39)), "#0"]
        (folder / "tokens.txt").write_text("".join(f"{name} {i}\n" for i, name in enumerate(names)))
    return list(np.load(folder / "loglikes.npz").values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--utterances", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beams", default="13,16")
    parser.add_argument("--topologies", default="modified,correct")
    parser.add_argument("--parts", default="best,lattice,skip,threads,determinize,process")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    everything = prepare(args.folder)
    matrices, parts = everything[: args.utterances], args.parts.split(",")

    from sidamo.decode.graph import load_graph
    from sidamo.decode.options import DecoderOptions, LatticeOptions
    from sidamo.decode.search import Search
    from sidamo.decode.topology_search import TopologySearch, load_topology_graph

    for topology in args.topologies.split(","):
        path = args.folder / f"TLG.{topology}.fst"
        tlg = load_graph(path)
        lg = load_topology_graph(args.folder / "LG.fst", topology, args.folder / "tokens.txt")
        peer = Peer(path)
        print(f"{topology} topology: TLG {tlg.num_states} states, {tlg.num_arcs} arcs; LG {lg.graph.num_states} states, "
              f"{lg.graph.num_arcs} arcs; {len(matrices)} utterances, {sum(map(len, matrices))} frames, max-active "
              f"{MAX_ACTIVE}, {args.rounds} rounds")  # fmt: skip
        kinds = (("any TLG", Search, tlg), ("LG, topology inside", TopologySearch, lg))
        for beam in map(float, args.beams.split(",")):
            options = DecoderOptions(beam=beam, max_active=MAX_ACTIVE)
            # The peer knows a beam alone for lattices: no max-active, no min-active.
            with_lattice = LatticeOptions(beam=beam, lattice_beam=LATTICE_BEAM, min_active=0)
            for name, kind, graph in kinds:
                one_beam(f"beam {beam:g}", name, kind, graph, (options, with_lattice), peer, matrices, args.rounds, parts)
        del tlg, peer
    options = DecoderOptions(beam=13.0, max_active=MAX_ACTIVE)
    if "skip" in parts:
        print("blank skipping, beam 13, LG:")
        skipping(
            lambda threshold: TopologySearch(
                lg, DecoderOptions(beam=13.0, max_active=MAX_ACTIVE, blank_skip_thresh=threshold)
            ), everything, args.rounds,
        )  # fmt: skip
    if "determinize" in parts:
        determinization(TopologySearch(lg, LatticeOptions(beam=13.0, lattice_beam=LATTICE_BEAM)), everything)
    if "threads" in parts:
        threads(lambda: TopologySearch(lg, options), everything, args.rounds)
    if "process" in parts:
        whole_process(args.folder, everything, args.rounds)


if __name__ == "__main__":
    main()

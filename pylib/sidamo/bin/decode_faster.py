"""decode-faster: the best path of each utterance through a graph."""

import sys

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import CheckFailed, OptionError
from sidamo.io.options import Options

USAGE = """Decode, reading log-likelihoods (of token labels: column v is label v + 1, column 0 the blank) as matrices.
The best path only; latgen-faster makes lattices.

Usage: decode-faster [options] <fst-in> <loglikes-rspecifier> <words-wspecifier> [<alignments-wspecifier>]
E.g.: decode-faster --acoustic-scale=1.0 --beam=13 TLG.fst scp:loglikes.scp ark,t:words.int"""


def add_common_options(options: Options) -> None:
    options.add("acoustic-scale", 0.1, "Scaling factor for acoustic likelihoods")
    options.add("word-symbol-table", "", "Symbol table for words [for debug output]")
    options.add("hash-ratio", 2.0, "Kaldi's hash table size; has no effect here (no hash is used)")
    options.add("num-threads", 1, "Utterances decoded at the same time; the graph is shared")
    options.add("hot-words", "", 'File of hot phrases: "boost word word ..." a line (needs --word-symbol-table)')
    options.add("ctc-topo", "", "The graph is LG; carry this CTC topology inside: correct|compact|modified|minimal")
    options.add("tokens", "", "tokens.txt of the graph (with --ctc-topo: to know the disambiguation symbols)")


def read_graph(opts, path: str):
    """(graph, its kind of search) of the options."""
    if opts.hash_ratio < 1.0:
        raise CheckFailed(f"--hash-ratio={opts.hash_ratio:g}: must be at least 1 (Kaldi asserts it)")
    if not opts.ctc_topo:
        from sidamo.decode.graph import load_graph
        from sidamo.decode.search import Search

        return load_graph(path), Search
    from sidamo.decode.topology_search import TopologySearch, load_topology_graph

    if not opts.tokens:
        raise OptionError("--ctc-topo needs --tokens=<graph-dir>/tokens.txt")
    return load_topology_graph(path, opts.ctc_topo, opts.tokens), TopologySearch


def read_words(opts):
    """(symbol table or None, HotWords or None) of the options."""
    words = hot = None
    if opts.word_symbol_table:
        from sidamo.io.symbols import SymbolTable

        words = SymbolTable.read(opts.word_symbol_table)
    if opts.hot_words:
        from sidamo.decode.hotwords import read_hot_words

        hot = read_hot_words(opts.hot_words, words)
    return words, hot


class Tally:
    """Counts of a run, and the closing lines of the log as Kaldi writes them."""

    def __init__(self):
        self.done = self.failed = self.partial = self.frames = 0
        self.likelihood = 0.0

    def add(self, key: str, path, acoustic_scale: float, num_frames: int) -> None:
        """Count a decoded utterance and log its likelihood a frame."""
        likelihood = -(path.graph_cost + acoustic_scale * path.acoustic_cost)
        frames = max(path.num_frames, 1)
        log.info(f"Log-like per frame for utterance {key} is {likelihood / frames:.6g} over {path.num_frames} frames.")
        if path.num_frames < num_frames:
            log.warn(
                f"Utterance {key}: no token survived frame {path.num_frames} of {num_frames}; its result is partial. "
                "Try a larger --beam."
            )
        self.partial += path.num_frames < num_frames or not path.reached_final
        self.done += 1
        self.frames += path.num_frames
        self.likelihood += likelihood

    def close(self) -> int:
        """Log the totals; returns the exit status."""
        log.info(f"Done {self.done} utterances, failed for {self.failed}")
        if self.partial:
            log.info(f"{self.partial} of them are partial: no final state, or no token to the end")
        mean = self.likelihood / self.frames if self.frames else float("nan")
        log.info(f"Overall log-likelihood per frame is {mean:.6g} over {self.frames} frames.")
        return 0 if self.done else 1


def print_words(key: str, words, table) -> None:
    """A line of words on stderr, as Kaldi prints with --word-symbol-table."""
    if table is not None:
        print(key, *(table.find(int(w)) for w in words), "", file=sys.stderr)


def write_path(key: str, path, words_out, labels_out, table) -> None:
    """What is written of a best path; labels_out may be None. A path that ends in no final state is named."""
    if not path.reached_final:
        log.warn(f"Decoder did not reach end-state, outputting partial traceback. (utterance {key})")
    words_out.write(key, path.words)
    if labels_out is not None:
        labels_out.write(key, path.labels)
    print_words(key, path.words, table)


@tool
def main(argv=None) -> int:
    from sidamo.decode.options import DecoderOptions

    options = Options(USAGE)
    add_common_options(options)
    options.add("binary", True, "Write output in binary mode (the t of a wspecifier decides)")
    options.add("allow-partial", True, "Produce output even when final state was not reached")
    options.group(DecoderOptions())
    opts, args = options.parse(argv, num_args=(3, 4))
    pruning = opts.make(DecoderOptions)

    from contextlib import ExitStack

    from sidamo.decode.parallel import in_order
    from sidamo.decode.search import BadMatrix
    from sidamo.io.tables import SequentialReader, Writer

    table, hot = read_words(opts)
    graph, kind = read_graph(opts, args[0])
    tally = Tally()

    def make_worker():
        search = kind(graph, pruning, opts.acoustic_scale, hot)

        def work(key, loglikes):
            if len(loglikes) == 0:
                return key, 0, None, f"Zero-length utterance: {key}"
            search.reset()
            try:
                search.advance(loglikes)
            except BadMatrix as e:
                return key, len(loglikes), None, f"Utterance {key} cannot be decoded: {e}"
            if not opts.allow_partial and not search.reached_final:
                return key, len(loglikes), None, f"Did not successfully decode utterance {key}, len = {len(loglikes)}"
            return key, len(loglikes), search.best_path(), ""

        return work

    with ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[1], "matrix"))
        words_out = stack.enter_context(Writer(args[2], "int_vector"))
        labels_out = stack.enter_context(Writer(args[3], "int_vector")) if len(args) > 3 else None
        for key, num_frames, path, problem in in_order(reader, make_worker, opts.num_threads):
            if path is None:
                log.warn(problem)
                tally.failed += 1
                continue
            write_path(key, path, words_out, labels_out, table)
            tally.add(key, path, opts.acoustic_scale, num_frames)
    return tally.close()

"""decode-stream: words while the sound arrives."""

import sys

import numpy as np

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Decode a WAV file or a pipe of PCM (16 bits, little endian, one channel) while it is read, and print each word as
soon as no later sound can change it; a line ends where a rule says that the utterance has ended.

Usage: python3 -m sidamo.bin.decode_stream [options] <model> <graph-dir> <wav-file or - for PCM on stdin>
E.g.: arecord -f S16_LE -r 16000 | utils/decode_stream.sh exp/lstm exp/graph -"""

HEAR_AT_LEAST = 10  # frames of features before the first output is asked for


class Ear:
    """Samples in, log-likelihoods out, for one utterance at a time.

    Features and outputs are computed from the utterance's beginning at each chunk, and only the outputs that lie
    `lookahead` frames behind the newest frame are given on: these would not change any more (but for a mean over the
    utterance so far, where no statistics are given). An utterance is at most as long as the endpoint rules allow.
    """

    def __init__(self, computer, scorer, stats, norm_vars: bool, lookahead: int, subsampling: int):
        self.computer, self.scorer, self.stats, self.norm_vars = computer, scorer, stats, norm_vars
        self.lookahead, self.subsampling = lookahead, subsampling
        self.reset(np.zeros(0, np.float32))

    def reset(self, samples) -> None:
        """Begin an utterance with these samples."""
        self.samples, self.given = samples, 0

    def hear(self, samples, last: bool = False) -> np.ndarray:
        """New log-likelihoods (T, V), perhaps none."""
        from sidamo.feats.cmvn import accumulate, normalize, zero_stats

        self.samples = np.concatenate([self.samples, samples])
        feats = self.computer.compute(self.samples)
        if len(feats) < HEAR_AT_LEAST:
            return np.zeros((0, 1), np.float32)
        stats = self.stats
        if stats is None:
            stats = zero_stats(feats.shape[1])
            accumulate(stats, feats)
        outputs = self.scorer([normalize(feats, stats, self.norm_vars)])[0]
        ready = len(outputs)
        if not last:
            ready = min(ready, max((len(feats) - self.lookahead) // self.subsampling, 0))
        new = outputs[self.given : ready]
        self.given = max(self.given, ready)
        return new


def chunks_of(source: str, rate: int, seconds: float):
    """Samples (float32, int16 scale), chunk by chunk."""
    size = max(int(rate * seconds), 1)
    if source != "-":
        from sidamo.io.wave import read_wave

        wave = read_wave(source)
        if int(wave.rate) != rate:
            raise DataError(f"{wave.rate:g} samples a second; the model's features want {rate}", file=source,
                            mend=f"sox {source} -r {rate} out.wav")  # fmt: skip
        samples = wave.samples[0].astype(np.float32)
        for begin in range(0, len(samples), size):
            yield samples[begin : begin + size]
        return
    rest = b""
    while True:
        data = sys.stdin.buffer.read1(2 * size)
        if not data:
            return
        data = rest + data
        rest = data[len(data) // 2 * 2 :]
        yield np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32)


@tool
def main(argv=None) -> int:
    from sidamo.decode.options import DecoderOptions
    from sidamo.feats.fbank import Fbank, FbankOptions
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.window import FrameOptions

    options = Options(USAGE)
    options.add("acoustic-scale", 1.0, "Scaling factor for acoustic likelihoods")
    options.add("chunk-seconds", 0.4, "Sound taken at once")
    options.add("cmvn-stats", "", "Statistics of the speaker (a matrix); default: of the utterance so far")
    options.add("cmvn-opts", "--norm-means=true --norm-vars=true", "Options of apply-cmvn in training")
    options.add("prior-scale", 0.0, "As in compute-loglikes")
    options.add("endpoint", True, "End utterances by rules; false: at the end of the input only")
    for group in (DecoderOptions(), FbankOptions(), FrameOptions(dither=0.0), MelOptions()):
        options.group(group)
    opts, (model_file, graph_dir, source) = options.parse(argv, num_args=3)

    from sidamo.am.loglikes import LoglikeOptions, Scorer
    from sidamo.am.model import load_model
    from sidamo.decode.graph import load_graph
    from sidamo.decode.search import Search
    from sidamo.decode.streaming import StreamingDecoder
    from sidamo.io.symbols import SymbolTable
    from sidamo.io.tables import read_object

    frames = opts.make(FrameOptions)
    model, content = load_model(model_file)
    lookahead, subsampling = model.encoder.lookahead, model.config["subsampling"]
    if lookahead is None:
        raise DataError("the network reads the whole utterance in both directions: it cannot run on a stream",
                        file=model_file, mend="train one with --bidirectional=false, or --network=tdnn")  # fmt: skip
    stats = read_object(opts.cmvn_stats, "matrix") if opts.cmvn_stats else None
    ear = Ear(
        Fbank(opts.make(FbankOptions), frames, opts.make(MelOptions)),
        Scorer(model, content, LoglikeOptions(prior_scale=opts.prior_scale)), stats,
        "--norm-vars=true" in opts.cmvn_opts, lookahead, subsampling,
    )  # fmt: skip
    words = SymbolTable.read(f"{graph_dir}/words.txt")
    search = Search(load_graph(f"{graph_dir}/TLG.fst"), opts.make(DecoderOptions), opts.acoustic_scale)
    stream = StreamingDecoder(search, frames.frame_shift / 1000 * subsampling)
    utterances = shown = 0

    def show(numbers):
        nonlocal shown
        for number in numbers[shown:]:
            sys.stdout.write(words.find(int(number)) + " ")
        shown = max(shown, len(numbers))
        sys.stdout.flush()

    def finish():
        nonlocal utterances, shown
        if search.num_frames:
            path = stream.finish()
            show(path.words)
            if len(path.words):
                sys.stdout.write("\n")
                sys.stdout.flush()
            utterances += 1
            shown = 0
            stream.reset()

    for samples in chunks_of(source, int(frames.sample_frequency), opts.chunk_seconds):
        stream.accept(ear.hear(samples))
        if search.num_frames:
            show(stream.partial()[1])
        if opts.endpoint and search.num_frames and stream.is_endpoint():
            finish()
            ear.reset(np.zeros(0, np.float32))
    stream.accept(ear.hear(np.zeros(0, np.float32), last=True))
    finish()
    log.info(f"Done {utterances} utterances")
    return 0


if __name__ == "__main__":
    sys.exit(main())

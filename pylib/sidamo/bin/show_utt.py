"""show-utt: one utterance's whole way through a recipe, each step with the command that shows it (utils/show_utt.sh)."""

import glob
import itertools
import os
import shlex
import subprocess

import numpy as np

from sidamo.bin import tool
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.symbols import SymbolTable
from sidamo.io.tables import RandomAccessReader

USAGE = """Show one utterance's way through a recipe.

Usage: show-utt [options] <utt> <decode-dir>
 e.g.: show-utt us_m3-3oz7 exp/tdnn/decode_3gram_test"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("data", "", "Data directory (default: the one that local/score.sh noted)")
    options.add("graph", "", "Graph directory (likewise)")
    options.add("lmwt", "", "LM weight (default: the best one, or 10)")
    options.add("wip", "", "Word insertion penalty (default: the best one, or 0.0)")
    opts, (utt, decode) = options.parse(argv, num_args=2)
    way = Way.find(utt, decode.rstrip("/"), opts)
    way.sound()
    way.features()
    way.reference()
    way.network()
    way.best_path()
    way.words()
    way.errors()
    return 0


class Way:
    """The files of one utterance, and a method for each paragraph.

    Attributes
    ----------
    utt, decode, data, graph, model : str
    lmwt, wip : str, as in the names of Kaldi's score files
    """

    def __init__(self, utt: str, decode: str, data: str, graph: str, lmwt: str, wip: str):
        self.utt, self.decode, self.data, self.graph, self.lmwt, self.wip = utt, decode, data, graph, lmwt, wip
        self.model = os.path.dirname(decode) or "."
        self.symbols = {name: SymbolTable.read(f"{graph}/{name}.txt") for name in ("words", "tokens")}

    @classmethod
    def find(cls, utt: str, decode: str, opts) -> "Way":
        """Fill in what the options leave open from what scoring has noted; DataError where nothing tells."""
        scored = f"{decode}/scoring_kaldi"
        noted = dict(line.split(maxsplit=1) for line in lines(f"{scored}/inputs"))
        places = {}
        for name in ("data", "graph"):
            places[name] = getattr(opts, name) or noted.get(name, "")
            if not os.path.isdir(places[name]):
                raise DataError(
                    f"does not tell the {name} directory (found {places[name]!r})", file=f"{scored}/inputs",
                    mend=f"give --{name} DIR, or score first: local/score.sh <data> <graph> {decode}",
                )  # fmt: skip
        lmwt = opts.lmwt or next(iter(lines(f"{scored}/wer_details/lmwt")), "10")
        wip = opts.wip or next(iter(lines(f"{scored}/wer_details/wip")), "0.0")
        way = cls(utt, decode, places["data"], places["graph"], lmwt, wip)
        way.line("wav.scp" if not os.path.exists(f"{way.data}/segments") else "segments")
        return way

    def line(self, name: str) -> str:
        """What <data>/<name> says of the utterance; DataError where it says nothing."""
        path = f"{self.data}/{name}"
        for line in lines(path):
            if line.split(maxsplit=1)[0] == self.utt:
                return line.partition(" ")[2]
        raise DataError("no such utterance", file=path, key=self.utt, mend=f"choose one: cut -d' ' -f1 {path}")

    def sound(self) -> None:
        """Where the sound lies, and how long it is."""
        if os.path.exists(f"{self.data}/segments"):
            heading("the sound", f"grep '^{self.utt} ' {self.data}/segments")
            print(f"{self.utt} {self.line('segments')}")
            start, end = map(float, self.line("segments").split()[1:3])
            print(f"{end - start:.2f} s" if end > 0 else "to the end of the recording")
            return
        command = f"grep '^{self.utt} ' {self.data}/wav.scp"
        heading("the sound", f"{command}; {command} | wav-to-duration scp:- ark,t:-")
        print(f"{self.utt} {self.line('wav.scp')}")
        print(f"{float(run(f'{command} | wav-to-duration scp:- ark,t:-').split()[1]):.2f} s")

    def features(self) -> None:
        """The shape of its features."""
        heading("features", f"grep '^{self.utt} ' {self.data}/feats.scp | copy-feats scp:- ark,t:- | less")
        with RandomAccessReader(f"scp:{self.data}/feats.scp", "matrix") as reader:
            feats = reader[self.utt]
        print(f"{feats.shape[0]} frames x {feats.shape[1]} values, from {feats.min():.1f} to {feats.max():.1f}")

    def reference(self) -> None:
        """What was said, in words and in the network's tokens."""
        heading("what was said", f"grep '^{self.utt} ' {self.data}/text; grep WORD {self.graph}/phones/align_lexicon.txt")
        words = self.line("text")
        spelt: dict[str, list[str]] = {}
        for line in lines(f"{self.graph}/phones/align_lexicon.txt"):
            spelt.setdefault(line.split()[0], line.split()[2:])
        print(words)
        print(" . ".join(" ".join(spelt.get(word, [f"({word} is not in the lexicon)"])) for word in words.split()))

    def network(self) -> None:
        """The best token of each run of frames: where it changes, and how sure the network is."""
        scp = f"{self.model}/loglikes_{os.path.basename(self.data)}/loglikes.scp"
        heading("what the network hears", f"grep '^{self.utt} ' {scp} | copy-feats scp:- ark,t:- | less")
        if not os.path.exists(scp):
            print(f"(no {scp}: decoded with --pipe true?)")
            return
        with RandomAccessReader(f"scp:{scp}", "matrix") as reader:
            loglikes = reader[self.utt]
        best, start = loglikes.argmax(1), 0
        parts = []
        for column, group in itertools.groupby(best):
            end = start + len(list(group))
            share = float(np.exp(loglikes[start:end, column].mean()))
            parts.append(f"{start}-{end - 1}:{self.symbols['tokens'].find(int(column) + 1)}({share:.2f})")
            start = end
        print(f"{loglikes.shape[0]} frames x {loglikes.shape[1]} tokens; frames:token(geometric mean of its posterior)")
        print(" ".join(parts))

    def lattice_command(self) -> str:
        """The pipeline that ends in the best path as a lattice archive on stdout, binary."""
        files = " ".join(shlex.quote(path) for path in sorted(glob.glob(f"{self.decode}/lat.*.gz")))
        if not files:
            raise DataError("no lat.*.gz", file=self.decode, mend=f"steps/decode.sh {self.graph} {self.data} {self.decode}")
        return (
            f"gunzip -c {files} | lattice-copy --include='echo {self.utt} |' ark:- ark:- | "
            f"lattice-add-penalty --word-ins-penalty={self.wip} ark:- ark:- | "
            f"lattice-1best --lm-scale=1.0 --acoustic-scale={1 / float(self.lmwt):.6f} ark:- ark:- | "
            f"lattice-add-penalty --word-ins-penalty=-{self.wip} ark:- ark:-"
        )

    def best_path(self) -> None:
        """The cheapest path: ilabel:olabel of each arc, graph and acoustic cost apart."""
        command = f"{self.lattice_command()} | lattice-copy --write-compact=false ark:- ark,t:-"
        heading(f"the best path (LM weight {self.lmwt}, word insertion penalty {self.wip})", command)
        print("ilabel:olabel(graph cost, acoustic cost), runs of one label together; acoustic costs as in the archive")
        arcs = [line.split() for line in run(command).splitlines()[1:] if len(line.split()) >= 4]
        if not arcs:
            raise DataError("not in the lattices", file=self.decode, key=self.utt, mend="look for it in log/decode.*.log")
        parts, total = [], np.zeros(2)
        for (ilabel, olabel), group in itertools.groupby(arcs, key=lambda arc: (arc[2], arc[3])):
            costs = [[float(c) for c in (arc[4].split(",")[:2] if len(arc) > 4 else ("0", "0"))] for arc in group]
            graph, acoustic = np.sum(costs, axis=0)
            total += (graph, acoustic)
            names = self.symbols["tokens"].find(int(ilabel)), self.symbols["words"].find(int(olabel))
            times = f"x{len(costs)}" if len(costs) > 1 else ""
            parts.append(f"{names[0]}{times}:{names[1]}({graph:.2f},{acoustic:.2f})")
        print(" ".join(parts))
        print(f"in all: graph {total[0]:.2f}, acoustic {total[1]:.2f}")

    def words(self) -> None:
        """The words with their times."""
        shift = self.frame_shift()
        command = (
            f"{self.lattice_command()} | lattice-align-words --words={self.graph}/words.txt --tokens={self.graph}/tokens.txt "
            f"{self.graph}/phones/align_lexicon.txt ark:- ark:- | nbest-to-ctm --frame-shift={shift:g} --precision=2 ark:- -"
        )
        heading("words with times", f"{command} | utils/int2sym.pl -f 5 {self.graph}/words.txt")
        for line in run(command).splitlines():
            _, _, start, length, word = line.split()[:5]
            print(f"{float(start):6.2f} s  {float(length):5.2f} s  {self.symbols['words'].find(int(word))}")

    def frame_shift(self) -> float:
        """Seconds between two frames of the network's output."""
        shift = float(next(iter(lines(f"{self.data}/frame_shift")), "0.01"))
        return shift * float(next(iter(lines(f"{self.model}/frame_subsampling_factor")), "1"))

    def errors(self) -> None:
        """Reference against hypothesis."""
        hyp = f"{self.decode}/scoring_kaldi/penalty_{self.wip}/{self.lmwt}.txt"
        ref = f"{self.decode}/scoring_kaldi/test_filt.txt"
        if not os.path.exists(hyp):
            heading("errors", f"local/score.sh {self.data} {self.graph} {self.decode}")
            print("(not scored with these weights)")
            return
        pick = "<(grep '^{} ' {})".format
        command = (
            f"align-text --special-symbol='***' ark:{pick(self.utt, ref)} ark:{pick(self.utt, hyp)} ark,t:- | "
            "utils/scoring/wer_per_utt_details.pl --special-symbol '***'"
        )
        heading("errors", command)
        print(run(command).rstrip())


def lines(path: str) -> list[str]:
    """The lines of a text file; none where it is absent."""
    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip()]


def heading(title: str, command: str) -> None:
    """Name a paragraph, with the command that shows the same."""
    print(f"\n{title}\n  $ {command}", flush=True)


def run(command: str) -> str:
    """stdout of a shell command; DataError with the end of its stderr where it fails."""
    root = os.environ.get("SIDAMO_ROOT", "")
    script = command.replace("utils/", f"{root}/utils/") if root else command
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True)
    if result.returncode:
        raise DataError(f"failed: {command}\n{result.stderr.strip()[-600:]}")
    return result.stdout


if __name__ == "__main__":
    raise SystemExit(main())

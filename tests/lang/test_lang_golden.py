"""Kaldi's own lang directories, grammars and LG graphs: the same commands, the same files or the same weights."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sidamo.io.fst import read_fst

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = dict(os.environ, PATH=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", LC_ALL="C")
# Words that the message on a bad ARPA file must hold, so that a right status for a wrong reason is noticed.
MESSAGES = {
    "count_too_small": "bad/count_too_small.arpa:27: the header said there would be 3 n-grams of order 2, but there are 8",
    "count_garbage": ":4: cannot read the n-gram count",
    "text_prob": ":11: invalid log probability 'x1'",
    "no_end": ":36: invalid or unexpected directive",
    "no_data": "section missing or empty",
    "bom": "a byte-order mark",
    "truncated_mid_line": ":20: invalid directive, expected '\\3-grams:'",
    "order_swapped": ":7: invalid directive",
    "extra_field": ":11: 4 columns",
    "too_few_fields": ":19: 2 columns",
    "eps_word": ":11: the epsilon symbol",
    "disambig_word": ":11: the disambiguation symbol",
    "crlf": "Windows line ends",
    "no_bos": "no unigram <s>",
    "highest_order_backoff": "the highest order has no back-off weight",
}


def cases(*kinds):
    shared = pathlib.Path(os.environ.get("SIDAMO_SHARED", ROOT.parent / "shared"))
    manifest = shared / "golden" / "manifest.jsonl"
    if not manifest.is_file():
        return [pytest.param(None, id="absent")]
    found = [case for case in map(json.loads, manifest.read_text().splitlines()) if case["kind"] in kinds]
    return [pytest.param(case, id=case["id"]) for case in found]


@pytest.fixture(scope="module")
def folder(golden, tmp_path_factory):
    """A folder in which golden commands run: links to the reference, out/ for what they write."""
    path = tmp_path_factory.mktemp("golden")
    for entry in golden.iterdir():
        (path / entry.name).symlink_to(entry)
    (path / "utils").symlink_to(ROOT / "utils")
    (path / "out").mkdir()
    (path / "tmp").mkdir()
    return path


def execute(command, cwd):
    return subprocess.run(command, shell=True, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True,
                          executable="/bin/bash", timeout=120)  # fmt: skip


def skip_without(case):
    if case is None:
        pytest.skip("reference data is absent (set SIDAMO_SHARED)")


def arc_set(fst):
    columns = (fst.arc_sources(), fst.ilabel, fst.olabel, np.round(fst.weight.astype(np.float64), 5), fst.nextstate)
    return sorted(zip(*(column.tolist() for column in columns)))


@pytest.mark.parametrize("case", cases("prepare_lang"))
def test_prepare_lang(case, golden, tmp_path):
    """All files to the byte; L with the same states, arcs and property bits."""
    skip_without(case)
    for name in ("dict_p", "dict_l", "dict_s"):
        shutil.copytree(golden / "lang" / name, tmp_path / "lang" / name, copy_function=shutil.copyfile)
        os.chmod(tmp_path / "lang" / name, 0o755)
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    done = execute(case["cmd"], tmp_path)
    assert done.returncode == 0, done.stderr
    compared = 0
    for name in case["outputs"]:
        if name.endswith((".log", "L.txt", "L_disambig.txt")):
            continue
        if name.endswith(".fst"):
            ours, theirs = read_fst(tmp_path / name), read_fst(golden / name)
            assert arc_set(ours) == arc_set(theirs), name
            assert np.allclose(ours.final, theirs.final) and ours.start == theirs.start
            assert ours.properties == theirs.properties
        else:
            assert (tmp_path / name).read_bytes() == (golden / name).read_bytes(), name
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("case", cases("validate_dict"))
def test_bad_dictionaries(case, golden, tmp_path):
    skip_without(case)
    for name in ("dict_p", "dict_l"):
        shutil.copytree(golden / "lang" / name, tmp_path / "lang" / name, copy_function=shutil.copyfile)
        os.chmod(tmp_path / "lang" / name, 0o755)
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    patch = next(name for name in case["inputs"] if name.endswith(".patch.txt"))
    head, _, rest = (golden / patch).read_bytes().partition(b"\n")
    target, _, where = head.decode().removeprefix("# replacement for ").partition(" in ")
    (tmp_path / where / target).write_bytes(rest)
    done = execute(case["cmd"], tmp_path)
    assert done.returncode == case["rc"], done.stdout
    assert ("ERROR" in done.stdout) == (case["rc"] != 0)
    if case["rc"]:
        assert f"{where}/{target}" in done.stdout


@pytest.mark.parametrize("case", cases("arpa2fst", "bad_arpa"))
def test_arpa2fst(case, folder, golden):
    skip_without(case)
    *command, output = case["cmd"].split(" ")
    command = [word.replace("=arpa/tri.writesyms.syms", "=out/tri.syms") for word in command]
    done = execute(" ".join([*command, "out/G.fst"]), folder)
    assert done.returncode == case["rc"], done.stderr
    if case["rc"]:
        assert MESSAGES.get(case["id"].removeprefix("badarpa."), "ERROR") in done.stderr
        return
    ours = read_fst(folder / "out/G.fst")
    if "result" in case:
        size = {"states": ours.num_states, "arcs": ours.num_arcs, "finals": int(np.isfinite(ours.final).sum())}
        assert size == case["result"]
        return
    theirs = read_fst(golden / output)
    assert ours.start == theirs.start and ours.isymbols == theirs.isymbols
    for name in ("offsets", "ilabel", "olabel", "nextstate"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert np.allclose(ours.weight, theirs.weight, atol=1e-6) and np.allclose(ours.final, theirs.final, atol=1e-6)
    if "write-symbol-table" in case["cmd"]:
        assert (folder / "out/tri.syms").read_bytes() == (golden / "arpa/tri.writesyms.syms").read_bytes()


@pytest.mark.parametrize("case", cases("fstprint", "ctc_topology"))
def test_openfst_tools(case, folder, golden):
    """fstprint; fstcompile | fstarcsort: to the byte."""
    skip_without(case)
    reference = golden / case["outputs"][0]
    command = case["cmd"].replace(case["outputs"][0], "out/x")
    done = execute(command, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "out/x").read_bytes() == reference.read_bytes()


@pytest.mark.parametrize("case", cases("fstisstochastic"))
def test_fstisstochastic(case, folder, golden):
    skip_without(case)
    done = execute(case["cmd"], folder)
    assert done.returncode == case["rc"], done.stderr
    wanted = np.array((golden / case["outputs"][0]).read_text().split(), float)
    assert np.allclose(np.array(done.stdout.split(), float), wanted, atol=case["tolerance"]["atol"])


def test_ctc_lexicon(folder, golden):
    done = execute("utils/add_lex_disambig.pl --pron-probs ctc/dict/lexiconp.txt out/lexicon", folder)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    assert (folder / "out/lexicon").read_bytes() == (golden / "ctc/lexiconp_disambig.txt").read_bytes()
    done = execute(
        "set -o pipefail; utils/make_lexicon_fst.pl --pron-probs ctc/lexiconp_disambig.txt 0 sil '#4' | "
        "fstcompile --isymbols=ctc/tokens.txt --osymbols=ctc/words.txt --keep_isymbols=false --keep_osymbols=false | "
        "fstaddselfloops ctc/wdisambig_tokens.int ctc/wdisambig_words.int | fstarcsort --sort_type=olabel > out/L.fst",
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert arc_set(read_fst(folder / "out/L.fst")) == arc_set(read_fst(golden / "ctc/L.fst"))


def path_costs(fst, words):
    """(best, -log of the sum) of the costs of all paths of a pynini FST that write these word ids, in float64."""
    src, finals = fst.arc_sources(), fst.final.astype(np.float64)
    result = []
    for add in (np.minimum, lambda a, b: -np.logaddexp(-a, -b)):
        cost = np.full((fst.num_states, len(words) + 1), np.inf)
        cost[fst.start, 0] = 0.0
        for written in range(len(words) + 1):
            _close(fst, src, cost[:, written], add)
            if written < len(words):
                for arc in np.flatnonzero(fst.olabel == words[written]):
                    to = fst.nextstate[arc]
                    cost[to, written + 1] = add(cost[to, written + 1], cost[src[arc], written] + fst.weight[arc])
        total = np.inf
        for state in np.flatnonzero(np.isfinite(finals)):
            total = add(total, cost[state, -1] + finals[state])
        result.append(float(total))
    return result


def _close(fst, src, cost, add):
    """Follow arcs without output, in topological order of what they reach (there is no cycle of them)."""
    silent = fst.olabel == 0
    waiting = np.zeros(fst.num_states, np.int64)
    reached, frontier = set(np.flatnonzero(np.isfinite(cost)).tolist()), list(np.flatnonzero(np.isfinite(cost)))
    while frontier:
        state = int(frontier.pop())
        for arc in range(int(fst.offsets[state]), int(fst.offsets[state + 1])):
            if silent[arc]:
                to = int(fst.nextstate[arc])
                waiting[to] += 1
                if to not in reached:
                    reached.add(to)
                    frontier.append(to)
    ready = [state for state in reached if waiting[state] == 0]
    while ready:
        state = ready.pop()
        for arc in range(int(fst.offsets[state]), int(fst.offsets[state + 1])):
            if silent[arc]:
                to = int(fst.nextstate[arc])
                cost[to] = add(cost[to], cost[state] + fst.weight[arc])
                waiting[to] -= 1
                if waiting[to] == 0:
                    ready.append(to)


@pytest.mark.parametrize("case", cases("LG"))
def test_lg(case, folder, golden):
    """LG by the same pipe of tools: as many states and arcs, the same weight for every word sequence of the reference."""
    skip_without(case)
    reference = case["outputs"][0]
    command = "set -o pipefail; " + case["cmd"].replace(reference, "out/LG.fst")
    done = execute(command, folder)
    assert done.returncode == 0, done.stderr
    ours, theirs = read_fst(folder / "out/LG.fst"), read_fst(golden / reference)
    if case["id"] == "graph.LG_sorted":
        assert (folder / "out/LG.fst").read_bytes() == (golden / reference).read_bytes()
        return
    assert (ours.num_states, ours.num_arcs) == (theirs.num_states, theirs.num_arcs)
    if reference.startswith("ctc"):
        return
    words = {}
    for line in (golden / "lang/posdep_sil0.5/lang/words.txt").read_text().splitlines():
        words[line.split()[0]] = int(line.split()[1])
    rows = [json.loads(line) for line in (golden / "graph/word_sequences.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["graph"] == reference]
    assert rows
    for row in rows[:25]:
        best, total = path_costs(ours, [words.get(word, -1) for word in row["words"]])
        if row["best_cost"] is None:
            assert np.isinf(best)
        else:
            assert abs(total - row["log_sum_cost"]) < 0.0112, row
            assert abs(best - row["best_cost"]) < 0.0112, row


def test_direct_builder_has_the_reference_weights(golden):
    """No determinization by rounded weights: exact to 1e-4 (G's weights are float32)."""
    from sidamo.lang.direct import build_lg_direct
    from sidamo.lang.lexicon import read_table

    rows = [json.loads(line) for line in (golden / "graph/word_sequences.jsonl").read_text().splitlines()]
    for lang, arpa in (("posdep_sil0.5", "est"), ("nopos_sil0.5", "tri"), ("posdep_sil0.0", "est")):
        directory = golden / "lang" / lang / "lang"
        words, phones = read_table(directory / "words.txt"), read_table(directory / "phones.txt")
        lexicon, grammar = read_fst(directory / "L_disambig.fst"), read_fst(golden / f"arpa/{arpa}.G.fst")
        lg = build_lg_direct(lexicon, grammar, phones, words)
        for row in [row for row in rows if row["graph"] == f"graph/LG_{lang}_{arpa}.fst"][:12]:
            best, total = path_costs(lg, [words.get(word, -1) for word in row["words"]])
            if row["best_cost"] is None:
                assert np.isinf(best)
            else:
                assert abs(total - row["log_sum_cost"]) < 0.0112


@pytest.mark.parametrize("name", ["TLG", "TLG_strict"])
def test_tlg(name, folder, golden):
    """T o LG by fsttablecompose: as many states and arcs as Kaldi's."""
    topology = "ctc/T.fst" if name == "TLG" else "ctc/T_strict.fst"
    done = execute(f"fsttablecompose {topology} ctc/LG.fst > out/TLG.fst", folder)
    assert done.returncode == 0, done.stderr
    ours, theirs = read_fst(folder / "out/TLG.fst"), read_fst(golden / f"ctc/{name}.fst")
    assert (ours.num_states, ours.num_arcs) == (theirs.num_states, theirs.num_arcs)
    assert np.allclose(np.sort(ours.weight), np.sort(theirs.weight), atol=1e-5)

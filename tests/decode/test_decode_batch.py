"""The batched decoder in torch finds the same best paths as the one on a CPU."""

import numpy as np
import pytest
from sidamo.decode.graph import load_graph, make_graph
from sidamo.decode.options import DecoderOptions
from sidamo.decode.search import Search
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr, read_fst
from sidamo.io.tables import SequentialReader
from test_decode_exact import NO_BEAM, all_paths, random_graph, random_loglikes

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: threads only get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cost_of(path):
    return path.graph_cost + path.acoustic_cost


def test_batches_equal_brute_force():
    from sidamo.am.batch_decoder import BatchDecoder

    rng = np.random.default_rng(3)
    for _ in range(40):
        fst = random_graph(rng)
        matrices = [random_loglikes(rng, int(rng.integers(1, 5)), 4) for _ in range(5)]
        for matrix, path in zip(matrices, BatchDecoder(fst).decode(matrices), strict=True):
            expected = all_paths(fst, matrix)
            if not expected:
                assert path is None
                continue
            assert cost_of(path) == pytest.approx(min(expected.values()), abs=1e-4)
            assert expected[tuple(path.labels), tuple(path.words)] == pytest.approx(cost_of(path), abs=1e-4)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_golden_utterances(device, golden):
    from sidamo.am.batch_decoder import BatchDecoder

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    with SequentialReader(f"ark:{golden}/ctc/loglikes.ark", "matrix") as reader:
        matrices = [np.array(m) for _, m in reader][:8]
    paths = BatchDecoder(read_fst(golden / "ctc/TLG.fst"), device).decode(matrices)
    search = Search(load_graph(golden / "ctc/TLG.fst"), DecoderOptions(**NO_BEAM))
    for matrix, path in zip(matrices, paths, strict=True):
        search.reset()
        search.advance(matrix)
        assert list(path.words) == list(search.best_path().words)
        assert cost_of(path) == pytest.approx(cost_of(search.best_path()), abs=1e-3)


def test_bad_input():
    from sidamo.am.batch_decoder import BatchDecoder

    fst = random_graph(np.random.default_rng(0))
    assert make_graph(fst).num_labels == 4
    with pytest.raises(DataError, match="a matrix has 2 columns, the graph labels up to 4"):
        BatchDecoder(fst).decode([np.zeros((3, 2), np.float32)])
    with pytest.raises(DataError, match="the graph is empty"):
        BatchDecoder(make_csr(0, [], [], [], [], [], {}))


@pytest.mark.parametrize("max_mem", [1, 10**9])
def test_tool_writes_what_kaldis_decoder_wrote(max_mem, golden_copy, run):
    """One utterance a batch, and all of them in one."""
    command = f"decode-batch --acoustic-scale=1.0 --beam=20 --use-gpu=no --max-mem={max_mem} ctc/TLG.fst ark:ctc/loglikes.ark"
    done = run(f"{command} ark,t:tmp/words ark,t:tmp/ali", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    for name in ("words", "ali"):
        assert (golden_copy / f"tmp/{name}").read_text() == (golden_copy / f"ctc/dec/wide.{name}").read_text()
    assert "Overall log-likelihood per frame is -0.333715 over 5386 frames." in done.stderr


def test_tool_names_what_it_cannot_decode(golden_copy, run):
    (golden_copy / "tmp/bad.ark").write_text("nan [\n 1 nan 2\n]\n")
    command = "decode-batch --acoustic-scale=1.0 --use-gpu=no ctc/TLG.fst"
    done = run(f"{command} ark:ctc/loglikes_odd.ark ark,t:-", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (golden_copy / "ctc/dec/odd.words").read_text()
    assert "zz-empty has no frames" in done.stderr and "Done 2 utterances, failed for 1" in done.stderr
    done = run(f"{command} ark:tmp/bad.ark ark,t:-", cwd=golden_copy)
    assert done.returncode == 1 and "Utterance nan cannot be decoded" in done.stderr

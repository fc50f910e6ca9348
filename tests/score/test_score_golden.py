"""The scoring cases of Kaldi's own binaries and scripts, by their exact command lines."""

import json
import re
import shlex

import pytest
from conftest import ROOT, SHARED

KINDS = {"compute_wer", "compute_wer_bootci", "align_text", "wer_details"}


def cases():
    manifest = SHARED / "golden" / "manifest.jsonl"
    if not manifest.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{manifest} is absent"))]
    rows = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    chosen = [row for row in rows if row["kind"] in KINDS or row["id"] == "score.align_special"]
    assert len(chosen) >= 22
    return [pytest.param(row, id=row["id"]) for row in chosen]


def in_writable_place(case, folder):
    """The command with its outputs under tmp/, and where each output went."""
    command, where = case["cmd"], {}
    for output in case["outputs"]:
        # Only what a command writes is moved: an input of the same name keeps its place.
        target = f"tmp/{output.replace('/', '_')}"
        if f"ark,t:{output}" in command:
            command, where[output] = command.replace(f"ark,t:{output}", f"ark,t:{target}"), target
        elif f"> {output}" in command:
            command, where[output] = command.replace(f"> {output}", f"> {target}"), target
    (folder / "utils").exists() or (folder / "utils").symlink_to(ROOT / "utils")
    return command, where


@pytest.mark.parametrize("case", cases())
def test_kaldis_own_output(case, golden_copy, golden, run):
    command, where = in_writable_place(case, golden_copy)
    result = run(f"source {shlex.quote(str(ROOT))}/path.sh; export LC_ALL=C; {command}", cwd=golden_copy)
    assert result.returncode == case["rc"], result.stderr
    if "first_error" in case:
        assert re.sub(r"^ERROR \(.*?\) ", "", case["first_error"]) in result.stderr
    for output in case["outputs"]:
        got = (golden_copy / where[output]).read_text() if output in where else result.stdout
        assert got == (golden / output).read_text(), command

"""The data-directory scripts in utils/: validate, fix, split, subset, copy, combine, perturb, durations, speakers."""

import os
import pathlib
import random
import subprocess
import wave

import pytest

UTILS = pathlib.Path(__file__).resolve().parents[2] / "utils"


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_scp", ".scp")).write_text(text)


def read(folder, name):
    return (folder / name).read_text()


@pytest.fixture()
def call(tmp_path):
    """call("fix_data_dir.sh", "data") runs in tmp_path; data (by utterance) and seg (with segments) are in order."""
    write(
        tmp_path / "data",
        utt2spk="a-1 a\na-2 a\nb-1 b\n",
        spk2utt="a a-1 a-2\nb b-1\n",
        text="a-1 one\na-2 two words\nb-1 thrée\n",
        wav_scp="a-1 a1.wav\na-2 cat a2.wav |\nb-1 b.ark:7\n",
        feats_scp="a-1 f:1\na-2 f:2\nb-1 f:3\n",
        cmvn_scp="a c:1\nb c:2\n",
        spk2gender="a m\nb f\n",
        utt2dur="a-1 1.5\na-2 2\nb-1 0.75\n",
    )
    write(
        tmp_path / "seg",
        utt2spk="a-1 a\na-2 a\nb-1 b\n",
        spk2utt="a a-1 a-2\nb b-1\n",
        text="a-1 one\na-2 two\nb-1 three\n",
        wav_scp="r1 r1.wav\nr2 r2.wav\n",
        segments="a-1 r1 0 1.5\na-2 r1 1.5 3.25\nb-1 r2 0 -1\n",
        reco2file_and_channel="r1 r1 A\nr2 r2 A\n",
        reco2dur="r1 4\nr2 2.5\n",
    )

    def _call(name, *arguments):
        return subprocess.run(
            [UTILS / name, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )  # fmt: skip

    return _call


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- validate ------------------------------------------------------------------------------------------------------


def test_good_directories_validate(call):
    for arguments in (["data"], ["--no-feats", "seg"], ["data/"]):
        assert "Successfully validated data-directory" in ok(call("validate_data_dir.sh", *arguments))
    assert "Successfully" in ok(call("data/validate_data_dir.sh", "data"))


# In Kaldi a malformed utt2spk is reported with exit status 0, and an empty transcript not at all.
# What is done to data/: (file, new text or None to delete, options, what the message must say)
FAULTS = [
    ("utt2spk", None, "", "data/utt2spk: no such file"),
    ("spk2utt", None, "", "data/spk2utt: no such file\n  to mend: utils/fix_data_dir.sh data"),
    ("utt2spk", "", "", "data/utt2spk: the file is empty"),
    ("utt2spk", "a-1 a\na-2\nb-1 b\n", "", "data/utt2spk:2: expected '<utterance> <speaker>', got 'a-2'"),
    ("utt2spk", "a-1 a\nb-1 b\na-2 a\n", "", "data/utt2spk:3: not sorted: 'a-2' stands after 'b-1'"),
    ("utt2spk", "a-1 a\na-1 a\na-2 a\nb-1 b\n", "", "data/utt2spk:2: 'a-1' has more than one line (also line 1)"),
    ("utt2spk", "a-1 b\na-2 a\nb-1 b\n", "", "data/utt2spk:2: not sorted by speaker: 'a' stands after 'b'"),
    ("spk2utt", "a a-1\nb a-2 b-1\n", "", "data/spk2utt: does not match utt2spk: 2 differences, the first is 'a-2 a'"),
    ("text", None, "", "data/text: no such file\n  to mend: make it, or if it is absent by design give --no-text"),
    ("text", "a-1 one\na-2\nb-1 three\n", "", "data/text:2: 'a-2' has an empty transcript (1 such lines)"),
    ("text", "a-1 one\na-2 two\nb-1 three", "", "data/text:3: the last line has no newline at its end"),
    ("text", "a-1 one\r\na-2 two\r\nb-1 three\r\n", "", "data/text:1: the line holds a CR"),
    ("text", "a-1 one\na-2 two\n", "", "data/text: 1 keys of utt2spk are missing here (2 against 3): b-1"),
    ("text", "a-1 1\na-2 2\nb-1 3\nc-1 4\n", "", "data/text: 1 keys are not in utt2spk (4 against 3): c-1"),
    ("text", "a-1 one\na-2 </s> x\nb-1 three\n", "", "data/text:2: the transcript holds </s>"),
    ("text", "a-1 one\na-2 x\u00a0y\nb-1 three\n", "", "data/text:2: odd white space U+00A0"),
    ("text", "a-1 one\na-2 x\u2003y\nb-1 three\n", "--non-print", "data/text:2: odd white space U+2003"),
    ("text", "\ufeffa-1 one\na-2 x\nb-1 three\n", "", "odd non-printing character U+FEFF"),
    ("text", "a-1 one\na-2 x\x07y\nb-1 three\n", "", "data/text:2: odd non-printing character U+0007"),
    ("text", "a-1 one\n\na-2 two\nb-1 three\n", "", "data/text:2: empty line"),
    ("wav.scp", None, "", "data/wav.scp: no such file\n  to mend: make it, or if it is absent by design give --no-wav"),
    ("wav.scp", "a-1 a1.wav\na-2 ~/a2.wav\nb-1 b.wav\n", "", "data/wav.scp:2: the file name begins with ~"),
    ("wav.scp", "a-1 a1.wav\na-2\nb-1 b.wav\n", "", "data/wav.scp:2: expected '<recording> <file or command |>'"),
    ("segments", "a-1 r 0 1\n", "", "data/segments: 2 keys of utt2spk are missing here"),
    ("feats.scp", None, "", "data/feats.scp: no such file\n  to mend: steps/make_fbank.sh data"),
    ("feats.scp", "a-1 f:1\nb-1 f:3\n", "", "data/feats.scp: 1 keys of utt2spk are missing here (2 against 3): a-2"),
    ("cmvn.scp", "a c\n", "", "data/cmvn.scp: 1 keys of spk2utt are missing here (1 against 2): b"),
    ("spk2gender", "a m\nb x\n", "", "data/spk2gender:2: expected '<speaker> m|f', got 'b x'"),
    ("spk2warp", "a 1\nb 1.7\n", "", "data/spk2warp:2: expected '<spk> <a factor between 0.5 and 1.5>', got 'b 1.7'"),
    ("utt2dur", "a-1 1\na-2 0\nb-1 1\n", "", "data/utt2dur:2: expected '<utt> <a duration above 0 in"),
    ("utt2num_frames", "a-1 1\na-2 2.5\nb-1 1\n", "", "data/utt2num_frames:2: expected '<utt> <a whole number"),
    ("utt2lang", "a-1 x\n", "", "data/utt2lang: 2 keys of utt2spk are missing here"),
    ("reco2file_and_channel", "a-1 f A\na-2 f C\nb-1 f B\n", "", "data/reco2file_and_channel:2: expected"),
]


@pytest.mark.parametrize("file, text, options, message", FAULTS)
def test_faults_are_found_and_named(call, tmp_path, file, text, options, message):
    if text is None:
        (tmp_path / "data" / file).unlink()
    else:
        (tmp_path / "data" / file).write_bytes(text.encode())
    done = call("validate_data_dir.sh", *options.split(), "data")
    assert done.returncode == 1
    assert message in done.stderr
    assert "to mend:" in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    "file, text, message",
    [
        ("segments", "a-1 r1 0 1.5\na-2 r1 3 3\nb-1 r2 0 1\n", "seg/segments:2: expected '<utterance> <recording>"),
        ("segments", "a-1 r1 0 1.5\na-2 r1 x 3\nb-1 r2 0 1\n", "seg/segments:2: expected"),
        ("segments", "a-1 r1 0 1.5\na-2 r1 2 3\nb-1 r1 0 1\n", "seg/wav.scp: 1 keys are not in segments (2 against"),
        ("wav.scp", "r1 r1.wav\n", "seg/wav.scp: 1 keys of segments are missing here (1 against 2): r2"),
        ("wav.scp", None, "seg/wav.scp: there is a segments file but no wav.scp"),
        ("reco2dur", "r1 4\n", "seg/reco2dur: 1 keys of wav.scp are missing here"),
    ],
)
def test_faults_of_segments(call, tmp_path, file, text, message):
    if text is None:
        (tmp_path / "seg" / file).unlink()
    else:
        write(tmp_path / "seg", **{file: text})
    done = call("validate_data_dir.sh", "--no-feats", "seg")
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_text_that_is_not_utf8(call, tmp_path):
    (tmp_path / "data/text").write_bytes(b"a-1 one\na-2 caf\xe9\nb-1 three\n")
    done = call("validate_data_dir.sh", "data")
    assert (done.returncode, "data/text:2: not UTF-8 (byte 0xe9)" in done.stderr) == (1, True)


def test_options_allow_what_they_name(call, tmp_path):
    data = tmp_path / "data"
    for file in ("feats.scp", "text", "wav.scp"):
        (data / file).unlink()
    assert call("validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 1
    ok(call("validate_data_dir.sh", "--no-feats", "--no-text", "--no-wav", "data"))
    write(data, text="a-1 one\na-2\nb-1 \x07\n")
    ok(call("validate_data_dir.sh", "--no-feats", "--no-wav", "--allow-empty-text", "--non-print", "data"))
    write(data, utt2spk="a-1 z\na-2 z\nb-1 b\n", spk2utt="b b-1\nz a-1 a-2\n", cmvn_scp="b 1\nz 1\n")
    (data / "spk2gender").unlink()
    options = "--no-feats --no-wav --no-text --non-print --allow-empty-text --no-spk-sort"
    ok(call("validate_data_dir.sh", *options.split(), "data"))


def test_several_faults_are_named_at_once(call, tmp_path):
    write(tmp_path / "data", text="a-1 one\nb-1\n", utt2dur="a-1 x\na-2 1\nb-1 1\n")
    done = call("validate_data_dir.sh", "data")
    assert done.stderr.count("ERROR") == 3


# --- fix -----------------------------------------------------------------------------------------------------------


def test_fix_leaves_a_good_directory_untouched(call, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    assert "kept all 3 utterances." in ok(call("fix_data_dir.sh", "data"))
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "data").iterdir() if p.name != ".backup"} == before


def test_fix_sorts_makes_unique_and_intersects(call, tmp_path):
    data = tmp_path / "data"
    write(
        data,
        utt2spk="b-1 b\na-2 a\na-1 a\na-1 a\nc-1 c\n",
        text="c-1 x\nb-1 three\n\na-1 first\na-1 second\na-2 two\r\n",
        feats_scp="a-1 f:1\nb-1 f:3\nc-1 f:4\nz f:5\n",
    )
    stdout = ok(call("fix_data_dir.sh", "data"))
    assert "kept 2 utterances out of 4" in stdout and "old files are kept in data/.backup" in stdout
    assert read(data, "utt2spk") == "a-1 a\nb-1 b\n"  # a-2 has no features, c-1 no wave, c no cmvn
    assert read(data, "spk2utt") == "a a-1\nb b-1\n"
    assert read(data, "text") == "a-1 first\nb-1 three\n"
    assert read(data, "wav.scp") == "a-1 a1.wav\nb-1 b.ark:7\n"
    assert read(data / ".backup", "utt2spk").startswith("b-1 b\n")
    ok(call("validate_data_dir.sh", "data"))


def test_fix_follows_recordings_and_speakers(call, tmp_path):
    seg = tmp_path / "seg"
    write(seg, wav_scp="r0 r0.wav\nr1 r1.wav\n", spk2gender="a m\nb f\n")
    ok(call("fix_data_dir.sh", "seg"))
    assert read(seg, "utt2spk") == "a-1 a\na-2 a\n"
    assert read(seg, "segments") == "a-1 r1 0 1.5\na-2 r1 1.5 3.25\n"
    assert (read(seg, "wav.scp"), read(seg, "reco2file_and_channel")) == ("r1 r1.wav\n", "r1 r1 A\n")
    assert (read(seg, "reco2dur"), read(seg, "spk2gender")) == ("r1 4\n", "a m\n")


def test_fix_takes_incomplete_derived_files_away(call, tmp_path):
    write(tmp_path / "data", utt2dur="a-1 1\n")
    assert "data/utt2dur lacks 2 keys" in ok(call("fix_data_dir.sh", "data"))
    assert not (tmp_path / "data/utt2dur").exists() and (tmp_path / "data/.backup/utt2dur").exists()


def test_fix_options(call, tmp_path):
    data = tmp_path / "data"
    write(data, text="a-1 one\na-2\nb-1 three\n", mine="a-1 1\na-2 2\nx 3\n", ours="a 1\nx 2\n")
    assert "kept all 3" in ok(call("fix_data_dir.sh", "--utt-extra-files", "mine", "--spk-extra-files=ours", "data"))
    assert (read(data, "mine"), read(data, "ours")) == ("a-1 1\na-2 2\n", "a 1\n")
    assert "1 utterances have an empty transcript" in ok(call("fix_data_dir.sh", "--remove-empty-text", "true", "data"))
    assert read(data, "text") == "a-1 one\nb-1 three\n"


@pytest.mark.parametrize(
    "files, message",
    [
        (dict(text="x 1\n"), "data: no utterance is in all files, nothing was changed"),
        (dict(utt2spk="a-1 a\na-2\nb-1 b\n"), "data/utt2spk:2: 2 fields expected, got 'a-2'"),
        (dict(utt2spk="a-1 b\na-2 a\nb-1 b\n"), "data/utt2spk: sorted by utterance it is not sorted by speaker"),
        (dict(segments="a-1 r 0\n"), "data/segments:1: 4 fields expected, got 'a-1 r 0'"),
    ],
)
def test_what_cannot_be_fixed_is_left_alone(call, tmp_path, files, message):
    write(tmp_path / "data", **files)
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    done = call("fix_data_dir.sh", "data")
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before


def test_fix_then_validate_always_agree(call, tmp_path):
    """Whatever is knocked out of a directory, what fix_data_dir.sh accepts validate_data_dir.sh accepts too."""
    from sidamo.io.datadir_check import CheckOptions, check_data_dir
    from sidamo.io.datadir_fix import fix_data_dir
    from sidamo.io.errors import DataError

    generator = random.Random(1)
    fixed = 0
    for number in range(60):
        folder = tmp_path / f"d{number}"
        utts = [f"{spk}-{n}" for spk in "abcd" for n in range(4)]
        files = {
            "utt2spk": [f"{u} {u[0]}" for u in utts],
            "text": [f"{u} w" for u in utts],
            "segments": [f"{u} r{u[0]} 0 1" for u in utts],
            "wav_scp": [f"r{spk} f" for spk in "abcd"],
            "feats_scp": [f"{u} f" for u in utts],
            "cmvn_scp": [f"{spk} f" for spk in "abcd"],
            "utt2dur": [f"{u} 1" for u in utts],
            "vad_scp": [f"{u} f" for u in utts],
            "reco2dur": [f"r{spk} 3" for spk in "abcd"],
        }
        for name in generator.sample(sorted(files), 3):
            generator.shuffle(files[name])
            del files[name][: generator.randrange(3)]
        write(folder, **{name: "\n".join(lines) + "\n" for name, lines in files.items()})
        try:
            fix_data_dir(folder, say=lambda message: None)
        except DataError:
            continue
        fixed += 1
        assert check_data_dir(folder, CheckOptions())[0] == []
    assert fixed > 40


# --- split and subset ----------------------------------------------------------------------------------------------


def test_split_by_speaker_and_by_utterance(call, tmp_path):
    data = tmp_path / "data"
    ok(call("split_data.sh", "data", 2))
    assert read(data / "split2/1", "utt2spk") == "a-1 a\na-2 a\n"
    assert read(data / "split2/2", "feats.scp") == "b-1 f:3\n"
    assert read(data / "split2/2", "cmvn.scp") == "b c:2\n" and read(data / "split2/2", "spk2utt") == "b b-1\n"
    ok(call("split_data.sh", "--per-utt", "data", 3))
    assert read(data / "split3utt/2", "text") == "a-2 two words\n"
    ok(call("validate_data_dir.sh", "data/split3utt/2"))
    ok(call("split_data.sh", "--per-reco", "seg", 2))
    assert read(tmp_path / "seg/split2reco/2", "wav.scp") == "r2 r2.wav\n"
    assert read(tmp_path / "seg/split2reco/1", "reco2file_and_channel") == "r1 r1 A\n"


def test_split_is_made_again_only_when_needed(call, tmp_path):
    data = tmp_path / "data"
    target = data / "split2/1/utt2spk"
    ok(call("split_data.sh", "data", 2))
    date = target.stat().st_mtime_ns
    ok(call("split_data.sh", "data", 2))
    assert target.stat().st_mtime_ns == date
    (data / "split2/.done").unlink()  # as after a kill
    ok(call("split_data.sh", "data", 2))
    assert target.stat().st_mtime_ns > date
    (data / "feats.scp").unlink()
    ok(call("split_data.sh", "data", 2))
    assert not (data / "split2/1/feats.scp").exists()
    write(data, text="a-1 new\na-2 new\nb-1 new\n")
    ok(call("split_data.sh", "data", 2))
    assert read(data / "split2/1", "text") == "a-1 new\na-2 new\n"


def test_subsets(call, tmp_path):
    def kept(*arguments):
        ok(call("subset_data_dir.sh", *arguments, "out"))
        return [line.split()[0] for line in read(tmp_path / "out", "utt2spk").splitlines()]

    (tmp_path / "spks").write_text("b\n")
    (tmp_path / "utts").write_text("a-2 x\n")
    assert kept("--first", "data", 2) == ["a-1", "a-2"]
    assert kept("--last", "data", 1) == ["b-1"]
    assert kept("--shortest", "data", 2) == ["a-1", "b-1"]
    assert kept("data", 2) == ["a-1", "b-1"] or kept("data", 2) == ["a-1", "a-2"]
    assert kept("--per-spk", "data", 1) == ["a-1", "b-1"]
    assert kept("--speakers", "data", 1) in (["a-1", "a-2"], ["b-1"])
    assert kept("--utt-list", "utts", "data") == ["a-2"]
    assert read(tmp_path / "out", "cmvn.scp") == "a c:1\n"
    assert kept("--spk-list", "spks", "seg") == ["b-1"]
    assert read(tmp_path / "out", "wav.scp") == "r2 r2.wav\n"
    assert not (tmp_path / "out/cmvn.scp").exists()  # seg has none: nothing of the subset before remains
    ok(call("validate_data_dir.sh", "--no-feats", "out"))


@pytest.mark.parametrize(
    "command, message",
    [
        ("split_data.sh data 3", "data: 2 speakers cannot be split into 3 parts"),
        ("split_data.sh --per-utt data 4", "data: 3 lines cannot be split into 4 parts"),
        ("split_data.sh data 0", "the number of parts has to be 1 at least, got 0"),
        ("split_data.sh data x", "<num-to-split> has to be a whole number, got 'x'"),
        ("split_data.sh --per-utt --per-reco data 2", "exclude each other"),
        ("split_data.sh nowhere 2", "nowhere: no such directory"),
        ("subset_data_dir.sh data 4 out", "data/utt2spk: 4 utterances wanted, but there are 3"),
        ("subset_data_dir.sh --first --last data 1 out", "give one of --first, --last"),
        ("subset_data_dir.sh data out", "expected <srcdir> <num-utt> <destdir>"),
        ("subset_data_dir.sh --utt-list data/cmvn.scp data out", "data/cmvn.scp: no utterance would remain"),
        ("subset_data_dir.sh --first data 1 data", "have to be different"),
        ("subset_data_dir.sh --shortest nodur 1 out", "the lengths of the utterances are not known"),
        ("copy_data_dir.sh data data", "the two directories have to be different"),
        ("copy_data_dir.sh nowhere out", "nowhere: no such directory"),
        ("copy_data_dir.sh --utt-prefx x data out", "no such option: --utt-prefx; did you mean --utt-prefix?"),
        ("combine_data.sh out", "1 arguments given"),
        ("combine_data.sh out data nowhere", "nowhere: no such directory"),
        ("combine_data.sh --skip-fix yes out data", "--skip-fix expects true or false, got 'yes'"),
        ("perturb_data_dir_speed.sh fast data out", "the speed factor has to be a number above 0, such as 0.9"),
        ("perturb_data_dir_speed.sh 0.9 data data", "the two directories have to be different"),
        ("perturb_data_dir_speed_3way.sh nowhere out", "nowhere/wav.scp: no such file"),
        ("perturb_data_dir_speed_3way.sh seg data", "data/feats.scp already exists"),
        ("perturb_data_dir_volume.sh nowhere", "nowhere/wav.scp: no such file"),
        ("perturb_data_dir_volume.sh --scale-low 3 data", "expected 0 < --scale-low <= --scale-high"),
        ("perturb_data_dir_volume.sh --reco2vol spks data", "no volume for the recording 'a-1'"),
        ("modify_speaker_info.sh data out", "give --utts-per-spk-max or --seconds-per-spk-max"),
        ("modify_speaker_info.sh --utts-per-spk-max 1.5 data out", "--utts-per-spk-max expects a whole number"),
        ("remove_dup_utts.sh 1 data out", "<max-count> has to be above 1, got 1"),
        ("get_utt2dur.sh nowhere", "nowhere/utt2spk: no such file"),
        ("get_utt2dur.sh --nj data", "--nj expects a whole number of at least 1"),
        ("get_utt2dur.sh", "usage"),
        ("get_reco2dur.sh nowhere", "nowhere/wav.scp: no such file"),
        ("data/get_frame_shift.sh seg", "seg/feats.scp: no such file; make it first: steps/make_fbank.sh seg"),
        ("data/get_num_frames.sh", "usage"),
        ("data/get_utt2num_frames.sh a b", "usage"),
    ],
)
def test_bad_input_is_refused(call, tmp_path, command, message):
    (tmp_path / "spks").write_text("b 1\n")
    write(tmp_path / "nodur", utt2spk="a-1 a\n", spk2utt="a a-1\n")
    done = call(*command.split())
    assert done.returncode != 0
    assert message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


# --- copy and combine ----------------------------------------------------------------------------------------------


def test_copy_with_affixes(call, tmp_path):
    ok(call("copy_data_dir.sh", "--utt-prefix=x-", "--spk-prefix", "x-", "--utt-suffix", "-s", "seg", "out"))
    out = tmp_path / "out"
    assert read(out, "utt2spk") == "x-a-1-s x-a\nx-a-2-s x-a\nx-b-1-s x-b\n"
    assert read(out, "segments").startswith("x-a-1-s r1 0 1.5\n")
    assert read(out, "wav.scp") == read(tmp_path / "seg", "wav.scp")
    assert read(out, "utt2uniq").startswith("x-a-1-s a-1\n")
    ok(call("copy_data_dir.sh", "data", "out"))  # over another one
    assert read(out, "cmvn.scp") == "a c:1\nb c:2\n"
    assert not (out / "segments").exists()


def test_combine(call, tmp_path):
    ok(call("copy_data_dir.sh", "--utt-prefix=x-", "--spk-prefix", "x-", "data", "other"))
    (tmp_path / "other/spk2gender").unlink()
    stdout = ok(call("combine_data.sh", "out", "data", "other"))
    out = tmp_path / "out"
    assert "**not combining spk2gender as it does not exist everywhere**" in stdout
    assert "combined feats.scp" in stdout and "not combining segments as it does not exist" in stdout
    assert len(read(out, "utt2spk").splitlines()) == 6
    assert read(out, "utt2uniq").splitlines()[::5] == ["a-1 a-1", "x-b-1 b-1"]
    ok(call("validate_data_dir.sh", "out"))
    ok(call("combine_data.sh", "out", "data", "data"))  # the same lines twice are one
    assert len(read(out, "utt2spk").splitlines()) == 3


def test_combine_makes_missing_segments(call, tmp_path):
    ok(call("copy_data_dir.sh", "--utt-prefix=x-", "--spk-prefix", "x-", "data", "other"))
    ok(call("combine_data.sh", "out", "seg", "other"))
    assert "x-a-1 x-a-1 0.0 1.5\n" in read(tmp_path / "out", "segments")
    ok(call("validate_data_dir.sh", "--no-feats", "out"))


def test_combine_refuses_contradictions(call, tmp_path):
    write(tmp_path / "other", utt2spk="a-1 a\n", text="a-1 other words\n", wav_scp="a-1 a1.wav\n")
    done = call("combine_data.sh", "out", "data", "other")
    assert done.returncode == 1
    assert "other/text: 'a-1' is 'other words' here, but 'one' in data/text" in done.stderr.replace(" (key a-1)", "")
    assert "utils/copy_data_dir.sh --utt-prefix" in done.stderr


# --- speed, volume, speakers ---------------------------------------------------------------------------------------


def test_speed(call, tmp_path):
    ok(call("perturb_data_dir_speed.sh", "0.8", "data", "out"))
    out = tmp_path / "out"
    assert read(out, "utt2spk").splitlines()[0] == "sp0.8-a-1 sp0.8-a"
    assert read(out, "wav.scp").splitlines() == [
        "sp0.8-a-1 wav-perturb --speed=0.8 a1.wav - |",
        "sp0.8-a-2 cat a2.wav | wav-perturb --speed=0.8 - - |",
        "sp0.8-b-1 wav-perturb --speed=0.8 b.ark:7 - |",
    ]
    assert read(out, "utt2dur") == "sp0.8-a-1 1.875\nsp0.8-a-2 2.5\nsp0.8-b-1 0.9375\n"
    assert read(out, "utt2uniq").splitlines()[0] == "sp0.8-a-1 a-1"
    assert read(out, "spk2gender") == "sp0.8-a m\nsp0.8-b f\n"
    assert not (out / "feats.scp").exists() and not (out / "cmvn.scp").exists()


def test_speed_of_segments(call, tmp_path):
    write(tmp_path / "seg", segments="a-1 r1 0 1.5\na-2 r1 1.5 3.25 A\nb-1 r2 0 -1\n")
    ok(call("perturb_data_dir_speed.sh", "--include-spk-prefix", "false", "1.1", "seg", "out"))
    out = tmp_path / "out"
    assert read(out, "segments") == (
        "sp1.1-a-1 sp1.1-r1 0.00 1.36\nsp1.1-a-2 sp1.1-r1 1.36 2.95 A\nsp1.1-b-1 sp1.1-r2 0.00 -1\n"
    )
    assert read(out, "utt2spk").startswith("sp1.1-a-1 a\n")
    assert read(out, "reco2dur") == "sp1.1-r1 3.63636\nsp1.1-r2 2.27273\n"
    assert read(out, "reco2file_and_channel").startswith("sp1.1-r1 r1 A\n")


@pytest.mark.parametrize("prefix, first", [("false", "a-1 a"), ("true", "sp0.9-a-1 sp0.9-a")])
def test_speed_3way(call, tmp_path, prefix, first):
    done = call("data/perturb_data_dir_speed_3way.sh", "--always-include-prefix", prefix, "seg", "out")
    ok(done)
    out = tmp_path / "out"
    assert len(read(out, "utt2spk").splitlines()) == 9
    assert read(out, "utt2spk").splitlines()[0] == first
    assert {line.split()[1] for line in read(out, "utt2uniq").splitlines()} == {"a-1", "a-2", "b-1"}
    assert sorted(os.listdir(tmp_path)) == ["data", "out", "seg"]


def test_names_with_blanks_are_quoted():
    from sidamo.io.datadir_change import perturbed

    assert perturbed(b"a b's.wav", "--speed=2") == b"wav-perturb --speed=2 'a b'\\''s.wav' - |"
    assert perturbed(b"sph2pipe -f wav a.sph|", "--speed=2") == b"sph2pipe -f wav a.sph | wav-perturb --speed=2 - - |"


def test_volume(call, tmp_path):
    ok(call("perturb_data_dir_volume.sh", "--write-reco2vol", "vols", "data"))
    # Kaldi's script draws from Python's generator with seed 0 too.
    expected = [random.Random(0).uniform(0.125, 2)]
    first = read(tmp_path / "data", "wav.scp").splitlines()[0]
    assert first == f"a-1 wav-perturb --volume={expected[0]!r} a1.wav - |"
    assert not (tmp_path / "data/feats.scp").exists() and (tmp_path / "data/.backup/feats.scp").exists()
    stdout = ok(call("perturb_data_dir_volume.sh", "data"))
    assert "already volume perturbed" in stdout
    assert read(tmp_path / "data", "wav.scp").splitlines()[0] == first
    (tmp_path / "given").write_text("r1 2\nr2 0.5\n")
    ok(call("perturb_data_dir_volume.sh", "--reco2vol", "given", "seg"))
    assert read(tmp_path / "seg", "wav.scp").splitlines()[1] == "r2 wav-perturb --volume=0.5 r2.wav - |"


def test_speakers_are_split(call, tmp_path):
    out = tmp_path / "out"
    ok(call("modify_speaker_info.sh", "--utts-per-spk-max", 1, "data", "out"))
    assert read(out, "utt2spk") == "a-1 a-1\na-2 a-2\nb-1 b-1\n"
    assert read(out, "spk2gender") == "a-1 m\na-2 m\nb-1 f\n" and not (out / "cmvn.scp").exists()
    ok(call("modify_speaker_info.sh", "--seconds-per-spk-max", 4, "data", "out"))
    assert read(out, "spk2utt") == "a-1 a-1 a-2\nb-1 b-1\n"
    ok(call("modify_speaker_info.sh", "--respect-speaker-info", "false", "--utts-per-spk-max", 2, "data", "out"))
    assert read(out, "utt2spk") == "a-1 speaker-1\na-2 speaker-1\nb-1 speaker-2\n"
    ok(call("modify_speaker_info.sh", "--respect-speaker-info", "false", "--utts-per-spk-max", 2, "seg", "out"))
    assert read(out, "utt2spk") == "a-1 r1-1\na-2 r1-1\nb-1 r2-1\n"


def test_numbers_of_many_speakers_sort():
    from sidamo.io.datadir_change import regroup

    spks = [spk for _, spk in regroup([(b"u%03d" % n, b"s") for n in range(120)], 1, -1, {})]
    assert spks == sorted(spks) and spks[0] == b"s-001"


def test_repeated_transcripts_are_thinned_out(call, tmp_path):
    utts = [f"a-{n:02d}" for n in range(20)]
    write(
        tmp_path / "dup",
        utt2spk="".join(f"{u} a\n" for u in utts),
        spk2utt="a " + " ".join(utts) + "\n",
        text="".join(f"{u} {'uh huh' if n % 4 else f'word {n}'}\n" for n, u in enumerate(utts)),
    )
    assert "Reduced number of utterances from 20 to" in ok(call("remove_dup_utts.sh", 3, "dup", "out"))
    kept = [line.split(None, 1)[1] for line in read(tmp_path / "out", "text").splitlines()]
    # Kaldi's generator: of the 15 repeats those stay whose number, k * 103349 mod 71147 / 71147, is below 3 / 15.
    numbers = [(k * 103349 % 71147) / 71147 for k in range(1, 16)]
    assert kept.count("uh huh") == sum(number < 3 / 15 for number in numbers)
    assert len(set(kept)) == 6


# --- durations -----------------------------------------------------------------------------------------------------


def write_wave(path, seconds, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * int(seconds * rate)))


def test_durations_by_headers_and_by_pipes(call, tmp_path):
    for name, seconds in (("a", 1.5), ("b", 2.125), ("c", 0.5)):
        write_wave(tmp_path / f"{name}.wav", seconds)
    write(tmp_path / "w", utt2spk="a a\nb b\nc c\n", wav_scp="a a.wav\nb cat b.wav |\nc c.wav\n")
    ok(call("get_utt2dur.sh", "w"))
    assert read(tmp_path / "w", "utt2dur") == "a 1.5\nb 2.125\nc 0.5\n"
    assert "already exists" in ok(call("data/get_utt2dur.sh", "w"))
    ok(call("get_reco2dur.sh", "--nj=2", "w"))
    assert read(tmp_path / "w", "reco2dur") == "a 1.5\nb 2.125\nc 0.5\n"
    (tmp_path / "w/reco2dur").unlink()
    (tmp_path / "w/utt2dur").unlink()
    ok(call("get_reco2dur.sh", "--read-entire-file", "true", "w"))
    assert read(tmp_path / "w", "reco2dur") == "a 1.5\nb 2.125\nc 0.5\n"


def test_a_perturbed_directory_can_be_read(call, tmp_path):
    """The pipes in wav.scp run, and what comes out lasts as long as utt2dur says."""
    for name, seconds in (("a", 1.5), ("b", 2.125)):
        write_wave(tmp_path / f"{name}.wav", seconds)
    write(tmp_path / "w", utt2spk="a a\nb b\n", spk2utt="a a\nb b\n", wav_scp="a a.wav\nb cat b.wav |\n")
    ok(call("perturb_data_dir_speed.sh", "0.9", "w", "p"))
    promised = read(tmp_path / "p", "utt2dur")
    ok(call("perturb_data_dir_volume.sh", "p"))
    (tmp_path / "p/utt2dur").unlink()
    ok(call("get_utt2dur.sh", "p"))
    for line, measured in zip(promised.splitlines(), read(tmp_path / "p", "utt2dur").splitlines()):
        assert line.split()[0] == measured.split()[0]
        assert float(measured.split()[1]) == pytest.approx(float(line.split()[1]), abs=2e-3)


def test_durations_of_segments(call, tmp_path):
    ok(call("get_utt2dur.sh", "seg"))
    assert read(tmp_path / "seg", "utt2dur") == "a-1 1.5\na-2 1.75\nb-1 2.5\n"
    ok(call("data/get_utt2num_frames.sh", "seg"))
    assert read(tmp_path / "seg", "utt2num_frames") == "a-1 148\na-2 173\nb-1 248\n"
    write(tmp_path / "seg", frame_shift="0.01\n")
    assert ok(call("data/get_num_frames.sh", "seg")) == "575\n"


def test_a_missing_recording_is_an_error(call, tmp_path):
    write_wave(tmp_path / "a.wav", 1)
    write(tmp_path / "w", utt2spk="a a\nb b\n", wav_scp="a a.wav\nb b.wav\n")
    done = call("get_utt2dur.sh", "w")
    assert done.returncode == 1
    assert "b.wav" in done.stderr and not (tmp_path / "w/utt2dur").exists()


def test_a_hundred_thousand_utterances_are_validated_in_seconds(call, tmp_path):
    import time

    utts = [(f"s{n // 100:04d}-{n:06d}", f"s{n // 100:04d}") for n in range(100_000)]
    write(
        tmp_path / "big",
        utt2spk="".join(f"{u} {s}\n" for u, s in utts),
        text="".join(f"{u} some words {u[-1]} é\n" for u, _ in utts),
        wav_scp="".join(f"{u} /corpus/{u}.wav\n" for u, _ in utts),
    )
    ok(call("fix_data_dir.sh", "big"))
    begin = time.monotonic()
    ok(call("validate_data_dir.sh", "--no-feats", "big"))
    assert time.monotonic() - begin < 5  # 0.3 s on an idle machine

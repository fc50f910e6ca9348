"""plot-curve: a picture of the learning curve that says what the table says."""

import xml.etree.ElementTree as ElementTree

import pytest
from sidamo.bin.plot_curve import main
from sidamo.report.curve_plot import steps

SVG = "{http://www.w3.org/2000/svg}"
HEAD = "epoch\tstep\ttrain_loss\tdev_loss\tdev_ter\tdev_wer\tlr\tseconds\n"


def plot(tmp_path, rows):
    (tmp_path / "curve.tsv").write_text(HEAD + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    status = main([f"--title=a & <b>\n{len(rows)}", str(tmp_path / "curve.tsv"), str(tmp_path / "curve.svg")])
    return status, tmp_path / "curve.svg"


def test_every_number_has_its_dot(tmp_path):
    rows = [(1, 10, 4.0, 3.0, 90, "nan", 0.001, 5), (2, 20, 2.0, 2.5, 40, "nan", 0.002, 5), (3, 30, 1.0, 2.0, 30, "nan", 0.0, 5)]
    status, path = plot(tmp_path, rows)
    assert status == 0
    root = ElementTree.parse(path).getroot()
    lines = [line.get("points").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [3, 3, 3, 3], "train and dev loss, tokens, rate; words were not measured"
    heights = [[float(point.split(",")[1]) for point in points] for points in lines]
    # Downwards is less: from 4 to 1 falls three times as far as from 3 to 2, on one axis.
    assert heights[0][2] - heights[0][0] == pytest.approx(3 * (heights[1][2] - heights[1][0]), abs=0.3)
    assert heights[3][1] < heights[3][0] < heights[3][2]
    said = [text.text for text in root.iter(f"{SVG}text")]
    assert "train 1" in said and "dev 2" in said and "tokens 30" in said and any("a & <b>" in text for text in said)


def test_one_epoch_is_a_picture_too(tmp_path):
    status, path = plot(tmp_path, [(1, 10, 4.0, 4.0, 0, 0, 0.001, 5)])
    assert status == 0 and len(list(ElementTree.parse(path).getroot().iter(f"{SVG}circle"))) == 5


def test_without_epochs_it_says_so(tmp_path, capfd):
    status, path = plot(tmp_path, [])
    assert status == 255 and not path.exists()
    assert "no learning curve" in capfd.readouterr().err


@pytest.mark.parametrize("low,high,expected", [
    (0, 4, [0, 1, 2, 3, 4]), (0, 0.002, [0, 0.0005, 0.001, 0.0015, 0.002]), (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    (-3, 7, [-4, -2, 0, 2, 4, 6, 8]), (0, 99, [0, 20, 40, 60, 80, 100]),
])  # fmt: skip
def test_round_ticks(low, high, expected):
    assert steps(low, high) == pytest.approx(expected)

"""Every recipe has what a reader looks for: a short run.sh, a README, RESULTS with the command, a line in the main README."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = sorted(p.parent.name for p in (ROOT / "egs").glob("*/run.sh"))


def test_there_are_recipes():
    assert {"digits", "yesno"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_complete(name):
    recipe = ROOT / "egs" / name
    script = (recipe / "run.sh").read_text()
    assert len(script.splitlines()) <= 100
    for number in range(7):
        assert f"if stage {number} " in script, f"stage {number} is missing"
    results = (recipe / "RESULTS").read_text()
    assert "run.sh" in results and "%WER" in results
    assert (recipe / "README.md").stat().st_size > 200
    for link in ("path.sh", "steps", "utils"):
        assert (recipe / link).is_symlink() and (recipe / link).exists()
    assert f"egs/{name}" in (ROOT / "README.md").read_text()

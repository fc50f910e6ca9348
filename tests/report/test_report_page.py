"""The report in a real browser: every panel holds content, it sorts, searches and plays, and nothing is fetched."""

import pathlib
import random
import time

import fake
import pytest
from browser import Browser, find_browser
from conftest import SHARED
from sidamo.report.gather import ReportOptions, gather
from sidamo.report.page import write

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium (Debian: apt-get install chromium)")
ROWS = "test.rows()"
HELPERS = (pathlib.Path(__file__).parent / "helpers.js").read_text(encoding="utf-8")
UTTS = "[...document.querySelectorAll('.utt')].map(u => u.dataset.utt)"
PANELS = ["summary", "sweep", "curves", "errors", "groups", "utts", "listen", "graphs", "made"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    golden = SHARED / "golden"
    exp = fake.experiment(root, golden if golden.is_dir() else None)
    fake.lang(root / "lang")
    data = gather(str(exp), ReportOptions(lang=str(root / "lang"), title="A <title> & more"))
    write(str(exp / "report.html"), data)
    return exp / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture()
def opened(browser, page):
    browser.messages.clear()
    browser.open(page)
    browser.run(HELPERS)
    yield browser
    assert browser.messages == [] and browser.run("sidamo.errors") == []


def test_every_panel_holds_content(opened):
    assert opened.run("[...document.querySelectorAll('main section')].map(s => s.id)") == PANELS
    assert opened.run("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))") == PANELS
    sizes = opened.run("[...document.querySelectorAll('main section')].map(s => s.getBoundingClientRect().height)")
    assert min(sizes) > 100
    assert opened.run("document.title") == "A <title> & more" and opened.run("document.querySelector('h1').textContent")
    assert opened.run("document.querySelectorAll('#curves svg polyline').length") >= 5
    assert opened.run("document.querySelectorAll('#sweep td.best').length") == 2
    drawn = opened.run("test.texts('#graphs svg')")
    assert [sorted(texts) for texts in drawn] == [["0", "0", "1", "a:<b>", "ε:&"], ["0", "<b>/0.69"]]
    assert "train-ctc --seed=1" in opened.run("document.querySelector('#made').textContent")
    assert opened.run("document.querySelectorAll('main section').length") == len(PANELS)


def test_nothing_is_fetched(opened):
    assert opened.run("performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length") == 0


def test_tables_sort(opened):
    button = "document.querySelectorAll('#errors table')[0].querySelectorAll('th button')[{}]"
    head = "document.querySelectorAll('#errors table')[0].querySelectorAll('th')[{}].getAttribute('aria-sort')"
    counts = [int(row[2]) for row in opened.run(ROWS)]
    assert counts == sorted(counts, reverse=True) and opened.run(head.format(2)) == "descending"
    opened.run(button.format(0) + ".click()")
    words = [row[0] for row in opened.run(ROWS)]
    assert words == opened.run(f"{words!r}.sort((a, b) => a.localeCompare(b, undefined, {{numeric: true}}))")
    assert opened.run(head.format(0)) == "ascending" and opened.run(head.format(2)) == "none"
    opened.run(button.format(0) + ".click()")
    assert opened.run(head.format(0)) == "descending"


def test_utterances_are_searched_ordered_and_filtered(opened):
    everything = opened.run("document.querySelector('#found').textContent")
    search = "test.set('#utts input', {!r})"
    name = opened.run(UTTS)[3]
    opened.run(search.format(name))
    assert opened.run(UTTS) == [name]
    assert opened.run("document.querySelector('#found').textContent").startswith("1 of ")
    opened.run(search.format("no such word"))
    assert opened.run(UTTS) == []
    opened.run(search.format(""))
    assert opened.run("document.querySelector('#found').textContent") == everything
    choose = "test.set('#utts select:not(.system)', {1!r}, {0})"
    opened.run(choose.format(0, "name"))
    assert opened.run(UTTS) == sorted(opened.run(UTTS))
    opened.run(choose.format(1, "S"))
    assert opened.run("[...document.querySelectorAll('.utt')].every(u => u.querySelector('.pair.S'))")
    opened.run(choose.format(1, "right"))
    assert opened.run("document.querySelectorAll('.utt .pair:not(.C)').length") == 0


def test_another_system(opened):
    names = opened.run("[...document.querySelector('select.system').options].map(o => o.textContent)")
    if len(names) < 2:
        pytest.skip("the reference data is absent: there is one system only")
    assert names == ["decode_golden", "decode_test"]
    before = opened.run("document.querySelector('#found').textContent")
    opened.run("test.choose('select.system', 1)")
    assert opened.run("document.querySelector('#found').textContent") != before
    assert opened.run("[...document.querySelectorAll('select.system')].every(s => s.selectedIndex === 1)")


def test_sound_plays_and_pictures_follow(opened):
    audio = "document.querySelector('audio')"
    opened.wait(f"{audio}.readyState >= 1")
    assert opened.run(f"{audio}.duration") == pytest.approx(opened.run("sidamo.data.listen[0].sound.seconds"), abs=0.01)
    opened.run(f"{audio}.play()")
    opened.wait(f"{audio}.currentTime > 0.1")
    assert opened.run("parseFloat(document.querySelector('.track .cursor').style.left)") > 0
    opened.run(f"{audio}.pause()")
    assert opened.run("test.drawn()") > 50
    opened.run("document.querySelector('.track').scrollIntoView({block: 'center'})")
    middle = opened.run("test.middle('.track')")
    for kind in ("mousePressed", "mouseReleased"):
        opened.call("Input.dispatchMouseEvent", type=kind, x=middle[0], y=middle[1], button="left", clickCount=1)
    half = opened.run("sidamo.data.listen[0].sound.seconds") / 2
    opened.wait(f"{audio}.currentTime > {half - 0.1}")


def test_every_utterance_to_hear_can_be_shown(opened):
    for number in range(opened.run("sidamo.data.listen.length")):
        opened.run(f"sidamo.choose({number})")
        assert opened.run("document.querySelectorAll('#listen .track').length") >= 2
    last = "sidamo.data.listen[sidamo.data.listen.length - 1]"
    assert opened.run(f"{last}.note").startswith("development set")
    before = opened.run("document.querySelector('#listen output').textContent")
    opened.run("test.set('#listen input[type=range]', 0)")
    assert (before, opened.run("document.querySelector('#listen output').textContent")) == ("epoch 10", "epoch 1")


def test_posteriors_words_and_lattice(opened):
    if not (SHARED / "golden").is_dir():
        pytest.skip("the reference data is absent")
    number = opened.run("sidamo.data.listen.findIndex(u => u.lattice)")
    item = opened.run(f"sidamo.choose({number}), sidamo.data.listen[{number}]")
    assert opened.run("[...document.querySelectorAll('#listen .words span')].map(s => s.textContent)") == [
        word["word"] for word in item["words"]
    ]
    assert opened.run("document.querySelectorAll('#listen .lattice svg path').length") == len(item["lattice"]["arcs"])
    assert opened.run("document.querySelectorAll('#listen .tag').length") > 0


def test_keyboard_names_and_contrast(opened):
    """Everything that can be used has a name; text stands out from its ground (WCAG AA, 4.5 to 1) in both themes."""
    assert opened.run("test.nameless()") == 0
    for theme in ("light", "dark"):
        opened.run(f"document.documentElement.dataset.theme = '{theme}'")
        ratio, where = opened.run("test.contrast()")
        assert ratio >= 4.5, (theme, where)
    opened.run("delete document.documentElement.dataset.theme")


def test_theme_button(opened):
    ground = "getComputedStyle(document.body).backgroundColor"
    before = opened.run(ground)
    opened.run("document.querySelector('#theme').click()")
    assert opened.run(ground) != before and "dark" in opened.run("document.querySelector('#theme').textContent")
    opened.run("document.querySelector('#theme').click(); document.querySelector('#theme').click()")
    assert opened.run(ground) == before


def test_a_phone_shows_it_without_scrolling_sideways(browser, page):
    browser.open(page, width=390, height=844, phone=True, dark=True)
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("parseFloat(getComputedStyle(document.body).fontSize)") >= 15
    assert browser.messages == []


def test_five_thousand_utterances_are_fast(browser, tmp_path):
    exp = fake.experiment(tmp_path, num_utts=5000)
    data = gather(str(exp), ReportOptions(utts="spk00-00000 spk01-00001"))
    write(str(exp / "report.html"), data)
    start = time.perf_counter()
    browser.open(exp / "report.html")
    loading = time.perf_counter() - start
    took = browser.run("""(() => { const i = document.querySelector('#utts input'), t = performance.now();
      i.value = 'kara'; i.dispatchEvent(new Event('input')); return performance.now() - t; })()""")
    assert browser.run("document.querySelectorAll('.utt').length") == 25
    assert loading < 10 and took < 1000, (loading, took)
    assert browser.messages == []


def test_the_table_of_many_systems_sorts(browser, tmp_path):
    from sidamo.score.batch import score_all
    from sidamo.score.tables import page as table_page

    exp = fake.experiment(tmp_path, num_utts=20)
    fake.scored(tmp_path / "exp/other/decode_test", 20, random.Random(9))
    result = score_all([str(exp / "decode_test"), str(tmp_path / "exp/other/decode_test")])
    path = tmp_path / "table.html"
    path.write_text(table_page(result), encoding="utf-8")
    browser.messages.clear()
    browser.call("Page.navigate", url=f"file://{path}")
    browser.wait("document.readyState === 'complete' && document.querySelectorAll('tbody tr').length === 2")
    rates = "[...document.querySelectorAll('tbody tr')].map(r => parseFloat(r.cells[3].textContent))"
    browser.run("document.querySelectorAll('th button')[3].click()")
    up = browser.run(rates)
    browser.run("document.querySelectorAll('th button')[3].click()")
    assert up == sorted(up) and browser.run(rates) == up[::-1] and browser.messages == []

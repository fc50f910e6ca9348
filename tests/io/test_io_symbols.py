"""Symbol tables: reading, looking up both ways, errors with file and line."""

import pytest
from sidamo.io.errors import DataError
from sidamo.io.symbols import SymbolTable


def _write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_both_ways_and_back(tmp_path):
    table = SymbolTable.read(_write(tmp_path / "words.txt", "<eps> 0\nà\t1\n\nb 5\n"))
    assert (table["à"], table.find(5), len(table), "b" in table, "c" in table) == (1, "b", 3, True, False)
    assert (table.get("c"), table.has_id(4), list(table)) == (None, False, [("<eps>", 0), ("à", 1), ("b", 5)])
    assert table.add("c") == 6
    table.write(tmp_path / "copy.txt")
    assert (tmp_path / "copy.txt").read_text() == "<eps> 0\nà 1\nb 5\nc 6\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("a 0\nb\n", r"words.txt:2: expected `symbol id`"),
        ("a 0\nb -1\n", r"words.txt:2: expected `symbol id`"),
        ("a 0\nb 1 2\n", r"words.txt:2: expected `symbol id`"),
        ("a 0\na 1\n", r"words.txt:2: symbol a has two ids: 0 and 1"),
        ("a 0\nb 0\n", r"words.txt:2: id 0 has two symbols: a and b"),
        (b"a 0\n\xe9 1\n", r"words.txt:2: not valid UTF-8"),
    ],
)
def test_malformed(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        SymbolTable.read(_write(tmp_path / "words.txt", text))


def test_missing(tmp_path):
    table = SymbolTable([("a", 0)], name="words.txt")
    with pytest.raises(DataError, match="words.txt: symbol 'x' is not in the table"):
        table["x"]
    with pytest.raises(DataError, match="words.txt: id 7 is not in the table"):
        table.find(7)
    with pytest.raises(DataError, match="no-such-file: cannot open"):
        SymbolTable.read("no-such-file")

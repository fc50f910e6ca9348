"""tokens.txt as the network sees it: one column per label, column = label - 1, column 0 blank (DESIGN, contract 3)."""

from sidamo.io.errors import DataError
from sidamo.io.symbols import SymbolTable

EPS, BLANK = "<eps>", "<blk>"


def read_columns(path) -> list[str]:
    """Names of the network's columns: ['<blk>', unit, unit, ...]; disambiguation symbols (#0..) have none.

    Raises DataError where <eps> is not 0, <blk> is not 1, or the units' ids have gaps.
    """
    table = SymbolTable.read(path)
    mend = "utils/prepare_lang.sh writes tokens.txt in the right order"
    columns = []
    for number, (symbol, found) in enumerate(table):
        if symbol.startswith("#"):
            break
        expected = (EPS, BLANK)[number] if number < 2 else symbol
        if found != number or symbol != expected:
            raise DataError(f"found `{symbol} {found}`, expected `{expected} {number}`", file=str(path),
                            line=number + 1, mend=mend)  # fmt: skip
        columns.append(symbol)
    after = [s for s, n in table if n >= len(columns) and not s.startswith("#")]
    if after or len(columns) < 3:
        found = f"unit {after[0]} comes after #0" if after else "there is no unit"
        raise DataError(f"{found}; expected <eps>, <blk>, units, #0...", file=str(path), mend=mend)
    return columns[1:]

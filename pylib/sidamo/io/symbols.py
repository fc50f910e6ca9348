"""Symbol tables: lines `symbol id` (words.txt, tokens.txt, phones.txt)."""

from sidamo.io.errors import DataError


class SymbolTable:
    """A bijection of symbols and non-negative integers.

    Parameters
    ----------
    pairs : iterable of (str, int)
    name : str
        File name for messages.
    """

    def __init__(self, pairs=(), name: str = "symbol table"):
        self.name = name
        self._ids, self._symbols = {}, {}
        for symbol, number in pairs:
            self.add(symbol, number)

    def add(self, symbol: str, number: int | None = None) -> int:
        """Adds a symbol (default: with the next free id) and returns its id; the same pair again does nothing."""
        if number is None:
            number = self._ids[symbol] if symbol in self._ids else max(self._symbols, default=-1) + 1
        if self._ids.get(symbol, number) != number:
            raise DataError(f"symbol {symbol} has two ids: {self._ids[symbol]} and {number}", file=self.name)
        if self._symbols.get(number, symbol) != symbol:
            raise DataError(f"id {number} has two symbols: {self._symbols[number]} and {symbol}", file=self.name)
        self._ids[symbol] = number
        self._symbols[number] = symbol
        return number

    @classmethod
    def read(cls, path) -> "SymbolTable":
        """Reads a file; raises DataError with file:line for a malformed line, a repeated symbol or a repeated id."""
        from sidamo.io.streams import open_rxfilename

        table = cls(name=str(path))
        with open_rxfilename(str(path)) as stream:
            data = stream.read()
        for number, line in enumerate(data.split(b"\n"), 1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 2 or not fields[1].isdigit():
                raise DataError(
                    f"expected `symbol id` with an id of at least 0, found {line.decode('utf-8', 'replace')!r}",
                    file=path, line=number,
                )  # fmt: skip
            try:
                table.add(fields[0].decode("utf-8"), int(fields[1]))
            except UnicodeDecodeError:
                mend = f"iconv -f latin1 -t utf-8 {path}"
                raise DataError("not valid UTF-8", file=path, line=number, mend=mend) from None
            except DataError as e:
                raise e.locate(line=number) from None
        return table

    def write(self, path) -> None:
        """Writes the table sorted by id."""
        from sidamo.io.streams import open_wxfilename

        with open_wxfilename(str(path)) as out:
            out.write("".join(f"{s} {n}\n" for n, s in sorted(self._symbols.items())).encode())

    def __getitem__(self, symbol: str) -> int:
        try:
            return self._ids[symbol]
        except KeyError:
            raise DataError(
                f"symbol {symbol!r} is not in the table", file=self.name, mend="add it, or map it to the OOV word"
            ) from None

    def find(self, number: int) -> str:
        """The symbol of an id; raises DataError where there is none."""
        try:
            return self._symbols[int(number)]
        except KeyError:
            raise DataError(f"id {number} is not in the table", file=self.name) from None

    def get(self, symbol: str, default=None):
        """The id of a symbol, or the default."""
        return self._ids.get(symbol, default)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._ids

    def has_id(self, number: int) -> bool:
        """Whether the table has this id."""
        return int(number) in self._symbols

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self):
        """(symbol, id) in the order of ids."""
        return iter([(s, n) for n, s in sorted(self._symbols.items())])

    def symbols(self) -> list:
        """All symbols in the order of ids."""
        return [s for _, s in sorted(self._symbols.items())]

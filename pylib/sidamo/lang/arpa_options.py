"""Options of arpa2fst, apart from its code so that --help is quick."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ArpaOptions:
    """Options of arpa2fst; the defaults are Kaldi's."""

    bos_symbol: str = field(default="<s>", metadata={"help": "beginning of sentence"})
    eos_symbol: str = field(default="</s>", metadata={"help": "end of sentence"})
    disambig_symbol: str = field(
        default="", metadata={"help": "on back-off arcs (#0); <s> becomes the start state and </s> a final cost"}
    )
    read_symbol_table: str = field(default="", metadata={"help": "words.txt; n-grams with other words are skipped"})
    write_symbol_table: str = field(default="", metadata={"help": "write the words found to this file"})
    keep_symbols: bool = field(default=False, metadata={"help": "store the symbol table in the FST"})
    ilabel_sort: bool = field(default=True, metadata={"help": "sort arcs by input label"})
    max_arpa_warnings: int = field(default=30, metadata={"help": "show this many warnings, -1: all"})

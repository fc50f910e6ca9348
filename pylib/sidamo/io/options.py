"""Command lines as Kaldi's binaries read them (ParseOptions, Kaldi src/util/parse-options.cc).

`--name=value`, a bare `--flag` for true; case and `_`/`-` do not matter; the last repetition wins; options end at the
first argument or at `--`; `--config=file` holds lines `--name=value  # comment` and is read before the command line.
"""

import os
import re
import sys

from sidamo.io import log
from sidamo.io.errors import OptionError, UsageError

_INT = r"\s*[+-]?\d+\s*"
_FLOAT = r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)\s*"
_TRUE, _FALSE = ("true", "t", "1", ""), ("false", "f", "0")
_SHELL_SAFE = re.compile(r"[A-Za-z0-9\[\]~#^_\-+=:.,/]+")


class Values:
    """Parsed options: one attribute per option, `-` replaced by `_`."""

    def __init__(self, values: dict):
        self.__dict__.update(values)

    def make(self, group):
        """The dataclass given to `Options.group` (the instance or its class), filled with the parsed values."""
        cls = group if isinstance(group, type) else type(group)
        template = self._templates[cls]
        return _rebuild(template, self)

    def __repr__(self):
        shown = {k: v for k, v in self.__dict__.items() if not k.startswith("_")}
        return f"Values({shown})"


def _rebuild(template, values):
    """A copy of a (nested) dataclass instance with its fields taken from the parsed values."""
    fields = {}
    for field in template.__dataclass_fields__.values():
        if not field.init:
            continue
        current = getattr(template, field.name)
        if hasattr(current, "__dataclass_fields__"):
            fields[field.name] = _rebuild(current, values)
        else:
            fields[field.name] = getattr(values, field.metadata.get("option", field.name).replace("-", "_"), current)
    return type(template)(**fields)


def normalize(name: str) -> str:
    """Option names compare in lower case with `_` as `-`."""
    return name.lower().replace("_", "-")


def quote(word: str) -> str:
    """A word as the shell takes it back, quoted only where needed (as Kaldi echoes its command line)."""
    if _SHELL_SAFE.fullmatch(word) and word.isascii():
        return word
    if "'" in word and not re.search(r'["`$\\]', word):
        return f'"{word}"'
    return "'" + word.replace("'", "'\\''") + "'"


def convert(name: str, text: str, kind: type, has_value: bool = True):
    """One option value from its text; raises OptionError with Kaldi's words."""
    if kind is bool:
        if has_value and text == "":
            raise OptionError(f"Invalid option --{name}= (expected --{name}=true or --{name}=false)")
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise OptionError(f"Invalid format for boolean argument [expected true or false]: {text} (option --{name})")
    if kind is int:
        if not re.fullmatch(_INT, text) or not -(2**31) <= int(text) < 2**32:
            raise OptionError(f'Invalid integer option "{text}" (option --{name}; write --{name}=N)')
        return int(text)
    if kind is float:
        if not re.fullmatch(_FLOAT, text, re.IGNORECASE):
            raise OptionError(f'Invalid floating-point option "{text}" (option --{name}; write --{name}=X)')
        return float(text)
    if not has_value:
        raise OptionError(f"Invalid option --{name} (option format is --x=y).")
    return text


def _show(value) -> str:
    """A default as the usage text prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)


class Options:
    """Options of one tool.

    Parameters
    ----------
    usage : str
        What the tool does and how it is called; printed with the list of options by --help and on a wrong call.

    Examples
    --------
    >>> o = Options("Copies.\\n\\nUsage: copy [options] <in> <out>")
    >>> o.add("num-mel-bins", 23, "Number of triangular mel bins")
    >>> opts, args = o.parse(["--num-mel-bins=40", "--print-args=false", "in", "out"])
    >>> opts.num_mel_bins, args
    (40, ['in', 'out'])
    """

    def __init__(self, usage: str):
        self.usage = usage.strip("\n")
        self._entries = {}  # name -> (attribute, type, default, help, standard)
        self._templates = {}
        self._add("config", "", "Configuration file to read (this option may be repeated)", standard=True)
        self._add("help", False, "Print out usage message", standard=True)
        self._add("print-args", True, "Print the command line arguments (to stderr)", standard=True)
        self._add("verbose", 0, "Verbose level (higher->more logging)", standard=True)

    def _add(self, name, default, help, kind=None, standard=False):
        key = normalize(name)
        if key in self._entries:
            raise ValueError(f"option --{key} is registered twice")
        self._entries[key] = (key.replace("-", "_"), kind or type(default), default, help, standard)

    def add(self, name: str, default, help: str, type: type | None = None) -> None:
        """Registers `--name`; its type (bool, int, float, str) is the default's unless given."""
        self._add(name, default, help, type)

    def group(self, instance) -> None:
        """Registers one option per field of a dataclass instance, nested dataclasses included.

        Underscores become dashes, the field's value is the default, `metadata["help"]` the help text;
        `metadata["option"]` gives another name, `metadata["hide"]` leaves the field out. `Values.make(instance)`
        returns the filled dataclass.
        """
        self._templates[type(instance)] = instance
        self._add_fields(instance)

    def _add_fields(self, instance):
        kinds = {"bool": bool, "int": int, "float": float, "str": str, bool: bool, int: int, float: float, str: str}
        for field in instance.__dataclass_fields__.values():
            value = getattr(instance, field.name)
            if field.metadata.get("hide") or not field.init:
                continue
            if hasattr(value, "__dataclass_fields__"):
                self._add_fields(value)
                continue
            name = field.metadata.get("option", field.name)
            self._add(name, value, field.metadata.get("help", ""), kinds.get(field.type, type(value)))

    def help_text(self) -> str:
        """Usage, own options in alphabetical order, standard options."""
        lines = ["", self.usage, ""]
        for standard, title in ((False, "Options:"), (True, "Standard options:")):
            entries = [(k, e) for k, e in sorted(self._entries.items()) if e[4] == standard]
            if entries:
                lines.append(title)
                for key, (_, kind, default, help, _) in entries:
                    lines.append(f"  --{key:<25} : {help} ({kind.__name__}, default = {_show(default)})")
                lines.append("")
        return "\n".join(lines)

    def usage_error(self) -> UsageError:
        """The error for a wrong number of arguments: `raise o.usage_error()`."""
        return UsageError(self.help_text())

    def parse(self, argv=None, num_args=None):
        """Parses a command line.

        Parameters
        ----------
        argv : list of str, optional
            Arguments without the program name; default sys.argv[1:].
        num_args : int or (int, int), optional
            The number of arguments, or the smallest and the largest; another number raises UsageError.

        Returns
        -------
        (Values, list of str)

        Raises
        ------
        OptionError, UsageError; SystemExit(0) after printing the help.
        """
        argv = list(sys.argv[1:] if argv is None else argv)
        named, args = self._split(argv)
        values = {attribute: default for attribute, _, default, _, _ in self._entries.values()}
        for name, text, _ in named:
            if name == "config":
                self._read_config(text, values)
            if name == "help":
                print(self.help_text())
                raise SystemExit(0)
        for name, text, has_value in named:
            self._set(values, name, text, has_value, f"--{name}" + (f"={text}" if has_value else ""))
        log.set_verbose(values["verbose"])
        if values["print_args"]:
            words = [log.program(), *argv]
            sys.stderr.write("".join(quote(word) + " " for word in words) + "\n")
            sys.stderr.flush()
        if num_args is not None:
            low, high = (num_args, num_args) if isinstance(num_args, int) else num_args
            if not low <= len(args) <= high:
                raise self.usage_error()
        values["_templates"] = self._templates
        return Values(values), args

    def _split(self, argv):
        """Options before the first argument as (name, text, has "="), and the arguments; a first `--` is dropped."""
        named, position = [], 0
        while position < len(argv) and argv[position].startswith("--") and argv[position] != "--":
            name, equal, text = argv[position][2:].partition("=")
            if not name:
                raise OptionError(f"Invalid option (no key): {argv[position]}")
            named.append((normalize(name), text.strip(), bool(equal)))
            position += 1
        args = argv[position:]
        if "--" in args:
            args.remove("--")
        return named, args

    def _set(self, values, name, text, has_value, shown, where=""):
        if name not in self._entries:
            raise OptionError(f"Invalid option {shown}{where}{self._suggest(name)}")
        attribute, kind, _, _, _ = self._entries[name]
        values[attribute] = convert(name, text, kind, has_value)

    def _suggest(self, name):
        import difflib

        near = difflib.get_close_matches(name, self._entries, n=1, cutoff=0.6)
        hint = f"; did you mean --{near[0]}?" if near else ""
        return f"{hint} (--help lists the options)"

    def _read_config(self, path, values):
        try:
            with open(path, encoding="utf-8") as stream:
                lines = stream.read().split("\n")
        except OSError as e:
            raise OptionError(f"Cannot open config file: {path}: {os.strerror(e.errno)}") from None
        for number, line in enumerate(lines, 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            if not line.startswith("--"):
                raise OptionError(
                    f"{path}:{number}: expected a line of the form --x=y, found {line!r} "
                    "(config files that shell scripts source lack the --)"
                )
            name, equal, text = line[2:].partition("=")
            name = normalize(name.strip())
            try:
                self._set(values, name, text.strip(), bool(equal), line, f" in config file {path}:{number}")
            except OptionError as e:
                prefix = "" if f"{path}:{number}" in str(e) else f"{path}:{number}: "
                raise OptionError(prefix + str(e)) from None

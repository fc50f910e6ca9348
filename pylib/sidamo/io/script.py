"""Command lines of the scripts in utils/: Kaldi's options, the header comment as the help, errors with exit status 1.

The tools named after Kaldi's binaries use `sidamo.io.options`; this module serves the scripts that Kaldi has in Perl or
bash, whose options may be bare (``--exclude``) or have one dash (``-f 2``). It imports the standard library only, so
that a script starts in about 20 ms.
"""

import os
import re
import sys
from types import SimpleNamespace

from sidamo.io.errors import OptionError, SidamoError, UsageError


def header(path):
    """The comment at the head of a script, without ``#``: its help text.

    Parameters
    ----------
    path : str
        A bash or Python script.

    Returns
    -------
    str
    """
    lines = []
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source):
            if not line.startswith("#"):
                break
            if number == 0 and line.startswith("#!") or line.startswith("# shellcheck "):
                continue
            lines.append(line[2:] if line.startswith("# ") else line[1:])
    return "".join(lines).rstrip("\n")


def nearest(name, names):
    """The name that is most like the given one, or None if there are no names."""
    import difflib

    parts = [other for other in names if name.strip("-") and name.strip("-") in other]
    return (parts or difflib.get_close_matches(name, names, 1, 0.0) or [None])[0]


def usage(script):
    """The lines of the header that show how the script is called; the whole header if there are none."""
    text = header(script)
    lines = re.findall(r"^(?:Usage|Example|   or|  or): .*$", text, re.MULTILINE)
    return "\n".join(lines) or text


def parse(argv, script, options, arguments=(0, None)):
    """Split a command line into options and arguments.

    Parameters
    ----------
    argv : list of str
    script : str
        File whose header is the help text; its name stands in the messages.
    options : dict
        Option as written (``--per-utt``, ``-f``) to its default. False makes a bare flag (``--per-utt``, also
        ``=true``); the strings "true" and "false" an option whose value must be one of them; a number or a string an
        option with a value (``--name value`` or ``--name=value``) of that type.
    arguments : (int, int or None)
        Smallest and largest number of arguments.

    Returns
    -------
    values : SimpleNamespace
        An attribute per option: ``per_utt``, ``f``.
    rest : list of str

    Raises
    ------
    OptionError, UsageError
    """
    values = {_attribute(name): default for name, default in options.items()}
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] != "-" and not re.fullmatch(r"-[0-9.]+", rest[0]):
        name, equals, value = rest.pop(0).partition("=")
        if name in ("--help", "-h"):
            print(header(script))
            raise SystemExit(0)
        if name == "--":
            break
        if name.startswith("--"):
            name = "--" + name[2:].replace("_", "-")
        if name not in options:
            near = nearest(name, [*options, "--help"])
            raise OptionError(f"no such option: {name}; did you mean {near}? (see: {script} --help)")
        if options[name] is False and not equals:
            value = rest.pop(0) if rest and rest[0] in ("true", "false") else "true"
        elif not equals:
            if not rest or (rest[0].partition("=")[0] in options):
                raise OptionError(f"{name} needs a value: {name} VALUE (see: {script} --help)")
            value = rest.pop(0)
        values[_attribute(name)] = _convert(name, value, options[name])
    low, high = arguments
    if len(rest) < low or (high is not None and len(rest) > high):
        late = [word for word in rest[1:] if word.startswith("--")]
        hint = f" (options stand before the arguments: {late[0]})" if late else ""
        raise UsageError(f"{len(rest)} arguments given{hint}\n{usage(script)}")
    return SimpleNamespace(**values), rest


def _attribute(name):
    return name.lstrip("-").replace("-", "_")


def _convert(name, value, default):
    """The value of an option in the type of its default; raises OptionError."""
    if default is False or default in ("true", "false"):
        if value not in ("true", "false"):
            raise OptionError(f"{name} expects true or false, got '{value}'")
        return value == "true" if default is False else value
    try:
        return type(default)(value)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise OptionError(f"{name} expects {kind}, got '{value}'") from None


def run(main, script, argv):
    """Call ``main(script, argv)`` and turn its errors into a message on standard error; returns the exit status."""
    name = os.path.basename(script)
    try:
        status = main(script, argv)
        sys.stdout.flush()
        return status or 0
    except SidamoError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (head, say) has seen enough: not our failure. Keep Python from flushing into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
        print(f"{name}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def argument_parser(doc):
    """An argparse parser that shows ``doc`` as it stands and refuses an unknown option by naming the nearest one."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def parse_known_args(self, args=None, namespace=None):
            args = sys.argv[1:] if args is None else list(args)
            for word in args[: args.index("--")] if "--" in args else args:
                name = word.partition("=")[0]
                if name.startswith("--") and name not in self._option_string_actions:
                    near = nearest(name, [option for option in self._option_string_actions if option.startswith("--")])
                    self.error(f"no such option: {name}; did you mean {near}?")
            return super().parse_known_args(args, namespace)

    return Parser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)

"""Pipes in wav.scp that consist of our own wave tools, run in this process instead of a shell.

`wav-perturb --speed=0.9 in.wav - |` costs 0.15 s to start and some milliseconds to do; an augmented data directory has one
such line for every utterance. What comes out is the same to the byte. Any command that is more than a chain of `cat`,
`wav-perturb`, `wav-reverberate` and `wav-copy` goes to the shell as ever.
"""

import io
import shlex

from sidamo.io import log, streams
from sidamo.io.errors import DataError, SidamoError

SHELL = set("$`*?~(){}[]\\\n;&<>#!")  # what only a shell can interpret


def enable() -> None:
    """Let `open_rxfilename` run such commands in this process."""
    streams.inline_command = run


def tool(name: str):
    """The function of a wave tool: (arguments, reader of waves) to (Wave, name of the output); None for other programs."""
    if name == "wav-perturb":
        from sidamo.bin.wav_perturb import make
    elif name == "wav-reverberate":
        from sidamo.bin.wav_reverberate import make
    elif name == "wav-copy":
        return lambda args, read: (read(args[0]), args[1]) if len(args) == 2 and ":" not in args[0] else None
    else:
        return None
    return make


def split(command: str):
    """Words of each part of a pipeline, or None where a shell is needed."""
    if SHELL & set(command):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # an open quote
        return None
    parts = [[]]
    for word in words:
        if word == "|":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts if all(parts) else None


def run(command: str):
    """A stream of what the command writes, or None where it is not for us. Raises DataError where it fails."""
    parts = split(command)
    if not parts or any(part[0] != "cat" and tool(part[0]) is None for part in parts):
        return None
    if any(part[0] == "cat" and (number > 0 or len(part) != 2) for number, part in enumerate(parts)):
        return None
    data = None
    for part in parts:
        try:
            data = step(part, data)
        except DataError:
            raise
        except SidamoError as error:  # a bad option
            raise DataError(f"{part[0]}: {error}") from None
        if data is None:
            return None
    return io.BufferedReader(io.BytesIO(data))


def step(words: list, data):
    """Bytes that one program of the pipeline writes, given those that it reads; None where it is not for us."""
    from sidamo.io.tables import read_object
    from sidamo.io.wave import read_wave, write_wave

    if words[0] == "cat":
        if words[1].startswith("-"):
            return None
        with streams.open_rxfilename(words[1]) as stream:
            return stream.read()

    def read(name):
        if name != "-":
            return read_object(name, "wave")
        if data is None:
            raise DataError("standard input is not for a command of wav.scp")
        return read_wave(data, words[0])

    quiet = [] if words[0] == "wav-copy" else ["--print-args=false", f"--verbose={log.verbosity()}"]
    made = tool(words[0])([*quiet, *words[1:]], read)
    if made is None or made[1] != "-":
        return None
    out = io.BytesIO()
    write_wave(out, made[0], words[0])
    return out.getvalue()

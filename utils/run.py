#!/usr/bin/env python3
# Runs a command, or an array of jobs, on this machine, each with its log: Kaldi's run.pl (a link to this file).
#
# Reads the command line only. The command is evaluated by bash: an argument without blanks goes in as it is, so that \|
# and \> make a pipeline and a redirection; one with blanks is put in double quotes, or in single quotes if it holds ".
# Writes the log: "# command", "# Started at DATE", "#", what the command prints, "# Accounting: time=N threads=1",
# "# Ended (code N) at DATE, elapsed time N seconds".
#
# Usage: utils/run.py [options] [JOB=1:n] <log-file> <command> [arguments...]
# Example: utils/run.py JOB=1:4 exp/log/len.JOB.log feat-to-len scp:data/split4/JOB/feats.scp ark,t:exp/len.JOB
#
# The name before = (JOB, or any other) is replaced by the job's number everywhere in the log's name and the command.
# The exit status is 0 if all jobs ended with 0, else 1 (130 or 143 after SIGINT or SIGTERM); the end of a failed job's
# log is printed. A pipeline fails if any of its parts fails (bash's pipefail; Kaldi's run.pl looks at the last only).
#
# Options:
#   --max-jobs-run N (or -tc N)   at most N jobs at once; default: the number of processors (of GPUs with --gpu)
#   --gpu N                       GPUs a job; as many at once as that allows, each told its own (CUDA_VISIBLE_DEVICES)
#   --pick all|failed|incomplete|none   which jobs to run, by their existing logs, as in Kaldi; default all
#   --resume true|false           whether a restart leaves out finished jobs, see below; default true
#   --mem X, --num-threads N, --time T, --config F, -V, -sync y, -l X, -q X, -pe X N   for grid engines; ignored
#
# Restart. When an array of jobs did not end well (a job failed, or run.py was killed), the same invocation, given
# again, leaves out the jobs that had finished with code 0. A job counts as finished only if the directory, the job
# range, the command, Sidamo's code and every file that the command names (inputs and outputs) are what they were when
# it ended, and if it had written at least one of these files; so a job that only writes into a folder is always run
# again. Once an invocation has succeeded nothing is remembered: giving it again runs every job.
#
# End. SIGINT, SIGTERM and SIGHUP end every job with all its processes; so does the death of run.py itself (kill -9), or
# of the script that called it. Started from an interactive shell with &, run.py lives on without that shell.
import os
import re
import select
import signal
import sys
import time

GRACE = 3.0  # seconds between SIGTERM and SIGKILL for jobs that have to end
POLL = 0.5  # seconds between looks at whether the calling script is still alive
TAIL = 10  # lines of a failed job's log that are shown
SMALL = 8 << 20  # bytes up to which a file is compared by content, above that by size and time of change
IGNORED = {"--mem", "--num-threads", "--time", "--config", "--hostname", "--host", "--queue", "--partition"}
KNOWN = IGNORED | {"--max-jobs-run", "--gpu", "--pick", "--resume", "--help"}
PROGRAM = os.path.basename(sys.argv[0])


class JobFailure(Exception):
    """The command line cannot be run; the text says why."""


class Options:
    """What the command line says. ``name`` is the text that stands for the job number (None if there is none)."""

    def __init__(self):
        self.max_jobs_run = None
        self.gpu = 0
        self.pick = "all"
        self.resume = True
        self.name = None
        self.first = self.last = 1
        self.log = ""
        self.command = ""

    @property
    def jobs(self):
        return range(self.first, self.last + 1)


def positive(text, option):
    if not re.fullmatch("[0-9]+", text) or int(text) == 0:
        raise JobFailure(f"{option} expects a whole number above 0, got '{text}'")
    return int(text)


def set_option(options, switch, value):
    """Takes one option and its value; what only a grid engine understands is accepted and ignored, as in run.pl."""
    if switch in ("--max-jobs-run", "-tc"):
        number = positive(value, switch)
        options.max_jobs_run = min(number, options.max_jobs_run or number)  # run.pl: the smallest one given counts
    elif switch == "--gpu":
        if not re.fullmatch("[0-9]+", value):
            raise JobFailure(f"--gpu expects a number of GPUs, got '{value}'")
        options.gpu = int(value)
    elif switch == "--pick":
        if value not in ("all", "none", "failed", "incomplete"):
            raise JobFailure(f"--pick expects all, none, failed or incomplete, got '{value}'")
        options.pick = value
    elif switch == "--resume":
        if value not in ("true", "false"):
            raise JobFailure(f"--resume expects true or false, got '{value}'")
        options.resume = value == "true"
    elif switch.startswith("--") and switch not in IGNORED:
        # Kaldi's queue.conf may define any option, so this is no error; but a slip should be seen.
        import difflib

        near = difflib.get_close_matches(switch, sorted(KNOWN), 1, 0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        warn(f"ignoring the unknown option {switch} {value}{hint}")


def warn(message):
    print(f"{PROGRAM}: {message}", file=sys.stderr, flush=True)


def parse(arguments):
    """Splits the command line as Kaldi's run.pl does: options and JOB=1:n in any order, the log, the command."""
    options = Options()
    rest = list(arguments)
    while rest:
        head = rest[0]
        array = re.fullmatch(r"(\w+)=(\d+)(?::(\d+))?", head, re.ASCII)
        if head in ("--help", "-h"):
            print_help()
            raise SystemExit(0)
        if array and options.name is None and not array[1].isdigit():
            options.name, options.first = array[1], int(array[2])
            options.last = int(array[3] or array[2])
            if options.first > options.last or options.first == 0:
                raise JobFailure(f"the job range {head} is empty or does not begin above 0; expected {array[1]}=1:4")
            del rest[0]
        elif head == "-V":
            del rest[0]
        elif head.startswith("--") and "=" in head:
            set_option(options, *head.split("=", 1))
            del rest[0]
        elif head.startswith("-") and len(head) > 1:
            if len(rest) < 2:
                raise JobFailure(f"the option {head} needs a value: {head} VALUE")
            if rest[1].startswith("--"):
                warn(f"WARNING: suspicious argument '{rest[1]}' to {head}; starts with '-'")
            set_option(options, head, rest[1])
            del rest[: 3 if head == "-pe" else 2]
        else:
            break
    if len(rest) < 2:
        raise JobFailure("expected a log and a command: run.py [options] [JOB=1:n] <log-file> <command>... (--help)")
    if re.match(r".+=.*:", rest[0]):
        warn(f"Warning: suspicious first argument: {rest[0]}")
    options.log, options.command = rest[0], join(rest[1:])
    if options.name and options.name not in options.log and options.last > options.first:
        raise JobFailure(f"the jobs cannot share one log file ({options.log}): put {options.name} into its name")
    if options.name is None and re.search("JOB", options.log):
        warn(f"Warning: {options.log} holds JOB but there is no JOB=1:$nj among the arguments")
    return options


def join(arguments):
    """One bash command line of the arguments, quoted as run.pl quotes (to the byte: it stands in the log).

    Only where run.pl's quoting cannot work (blanks, " and ' in one argument) the ' are escaped.
    """
    words = []
    for argument in arguments:
        if re.search(r"^\S+$", argument, re.ASCII):
            words.append(argument)
        elif '"' not in argument:
            words.append(f'"{argument}"')
        else:
            words.append("'" + argument.replace("'", "'\\''") + "'")
    return " ".join(words) + " "


def print_help():
    with open(os.path.realpath(__file__)) as source:
        next(source)
        for line in source:
            if not line.startswith("#"):
                break
            print(line[2:].rstrip("\n"))


def find_gpus(options):
    """Splits the machine's GPUs into groups of what a job wants; [""] where there are none: one job at a time."""
    import subprocess

    devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if not devices:
        try:
            listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
        except OSError:
            listing = ""
        devices = [str(number) for number, line in enumerate(listing.splitlines()) if line.startswith("GPU")]
    if len(devices) < options.gpu:
        warn(f"Warning: a job wants {options.gpu} GPUs, nvidia-smi lists {len(devices)}; running one job at a time")
        return [",".join(devices)]
    starts = range(0, len(devices) - options.gpu + 1, options.gpu)
    return [",".join(devices[start : start + options.gpu]) for start in starts]


def count_slots(options, gpus):
    """How many jobs may run at once, where --max-jobs-run does not say."""
    if options.max_jobs_run:
        return options.max_jobs_run
    if options.gpu:
        return len(gpus)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = len(options.jobs)
    return jobs if jobs < 1.4 * processors else processors  # run.pl's rule: no small rest to wait for


def date():
    return time.strftime("%a %b %e %H:%M:%S %Z %Y")


def last_code(log):
    """The code in the last "# Ended" line of a log: "0", another, or None if there is none."""
    try:
        with open(log, errors="replace") as lines:
            codes = re.findall(r"^# Ended \(code (\d+(?:; signal \d+)?)\)", lines.read(), re.MULTILINE)
    except OSError:
        return None
    return codes[-1] if codes else None


class Finished:
    """Remembers, beside the logs, which jobs of an invocation have ended well, until all of them have."""

    def __init__(self, options):
        self.options = options
        self.active = len(options.jobs) > 1 and options.pick == "all"
        self.invocation = ""
        if self.active:
            code = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib", "sidamo")
            texts = [os.getcwd(), options.name or "", f"{options.first}:{options.last}", options.log, options.command]
            self.invocation = self.digest("\0".join([*texts, *self.code_state(code)]).encode(errors="surrogateescape"))

    @staticmethod
    def digest(content):
        import hashlib

        return hashlib.blake2b(content, digest_size=16).hexdigest()

    @staticmethod
    def code_state(folder):
        for place, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    state = os.stat(os.path.join(place, name))
                    yield f"{name} {state.st_size} {state.st_mtime_ns}"

    @staticmethod
    def marker(log):
        return os.path.join(os.path.dirname(log), f".{os.path.basename(log)}.finished")

    def file_state(self, path):
        state = os.stat(path)
        if state.st_size > SMALL:
            return f"{state.st_size} {state.st_mtime_ns}"
        with open(path, "rb") as content:
            return self.digest(content.read())

    @staticmethod
    def named_files(command):
        """Every plain file whose name stands in the command, also inside ark:..., --config=..., "... > file"."""
        words = set(re.split(r"""[\s'"]+""", command)) | set(re.split(r"""[\s'"|<>;()=,:]+""", command))
        return sorted(word for word in words if word and "\n" not in word and os.path.isfile(word))

    def before(self, command):
        """Dates of the files that the command names, before it runs: what has changed after it, it wrote."""
        return self.dates(command) if self.active else {}

    def dates(self, command):
        return {path: (os.stat(path).st_mtime_ns, os.stat(path).st_size) for path in self.named_files(command)}

    def remember(self, log, command, before):
        if not self.active:
            return
        files = self.dates(command)
        if files == before:
            return  # nothing to be seen of what it wrote, so nothing could vouch for it
        marker = self.marker(log)
        with open(f"{marker}.tmp", "w", errors="surrogateescape") as out:
            out.write(self.invocation + "\n")
            out.writelines(f"{self.file_state(path)}\t{path}\n" for path in files)
        os.replace(f"{marker}.tmp", marker)

    def is_finished(self, log):
        if not self.active or not self.options.resume or last_code(log) != "0":
            return False
        try:
            with open(self.marker(log), errors="surrogateescape") as content:
                invocation, *files = content.read().split("\n")[:-1]
            if invocation != self.invocation:
                return False
            return all(self.file_state(path) == state for state, path in (line.split("\t", 1) for line in files))
        except (OSError, ValueError):
            return False

    def forget(self, log):
        for path in (self.marker(log), self.marker(log) + ".tmp"):
            if os.path.exists(path):
                os.unlink(path)


def end_groups(groups):
    """Ends process groups: SIGTERM, and SIGKILL for what is left after GRACE seconds. Reaps own children."""

    send_to(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        reap()
        if not are_alive(groups):
            return
        time.sleep(0.02)
    send_to(groups, signal.SIGKILL)
    reap()


def send_to(groups, number):
    """Sends a signal; returns the groups that still exist."""
    found = set()
    for group in groups:
        try:
            os.killpg(group, number)
            found.add(group)
        except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            pass
    return found


def are_alive(groups):
    """Whether a process of these groups runs. Zombies do not count: in a container nobody may ever reap them."""
    found = send_to(groups, 0)
    if not found or not os.path.isdir("/proc/self"):
        return bool(found)
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat:
                state, _, group = stat.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) in found and state not in "ZX":
            return True
    return False


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def start_guardian():
    """Forks a process that ends the jobs if run.py dies without having done so (kill -9); returns its pipe.

    Each job announces its process group on the pipe ("+group"), run.py revokes it ("-group"). When run.py is gone the
    pipe is at its end, and the groups that remain are ended.
    """
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(read_end)
        return write_end
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(write_end)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        groups = set()
        with open(read_end, "rb") as news:
            for line in news:
                (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
        if groups:
            end_groups(groups)
    finally:
        os._exit(0)


def start_job(command, log, guardian, gpus):
    """Starts bash on the command in a process group of its own, its output going to the log; returns its process id."""
    os.makedirs(os.path.dirname(log) or ".", exist_ok=True)
    with open(log, "w", errors="surrogateescape") as out:
        out.write(f"# {command}\n# Started at {date()}\n#\n")
    # "exit" keeps bash from replacing itself by the command: then a signal would not show as code 128 + n.
    script = f"set -o pipefail\n( {command})\nexit $?\n"
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        os.write(guardian, b"+%d\n" % os.getpid())
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpus
        if len(os.fsencode(script)) < 100_000:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.execvp("bash", ["bash", "-c", script])
        import tempfile  # an argument may have 128 KiB at most: hand a longer script over as standard input

        with tempfile.TemporaryFile() as source:
            source.write(os.fsencode(script))
            source.flush()
            source.seek(0)
            os.dup2(source.fileno(), 0)
            os.execvp("bash", ["bash"])
    except BaseException as error:
        os.write(2, f"{PROGRAM}: cannot run bash: {error}\n".encode())
    finally:
        os._exit(127)


def finish_log(log, status, started):
    """Appends run.pl's closing lines; ``status`` is what waitpid gave."""
    code = f"code {status >> 8}" + (f"; signal {status & 127}" if status & 127 else "")
    seconds = int(time.time()) - int(started)
    with open(log, "a") as out:
        out.write(f"# Accounting: time={seconds} threads=1\n")
        out.write(f"# Ended ({code}) at {date()}, elapsed time {seconds} seconds\n")


def callers_of_ours():
    """The processes whose death ends the jobs, as (process id, start time): our parent, and the recipe that it works for.

    utils/stages.sh tells the recipe's process in SIDAMO_RUN_PID. What stands above a recipe (a login shell, cron) may go:
    people start a recipe under nohup and log out.
    """
    found, process, recipe = [(os.getppid(), start_time(os.getppid()))], os.getppid(), os.environ.get("SIDAMO_RUN_PID")
    while recipe and process > 1:
        if str(process) == recipe:
            if process != found[0][0]:
                found.append((process, start_time(process)))
            break
        try:
            with open(f"/proc/{process}/stat") as stat:
                process = int(stat.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
    return found


def start_time(process):
    """Start of a process in clock ticks (tells it from a later one with the same number); None without /proc."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def orphaned(callers):
    """Whether one of the calling scripts has died."""
    if not callers:
        return False
    if os.getppid() != callers[0][0]:
        return True
    return any(start is not None and start_time(process) != start for process, start in callers)


def run_all(options):
    """Runs the jobs; returns {job number: status} of those that ended, and the number of the signal that stopped it."""
    finished = Finished(options)
    stopped = []
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, lambda number, _: stopped.append(number))
    callers = callers_of_ours()
    statuses, waiting, running = {}, [], {}
    for job in options.jobs:
        status = skipped_status(options, finished, job)
        if status is None:
            waiting.append(job)
        else:
            statuses[job] = status
    if finished.active and statuses:
        warn(f"{len(statuses)} of {len(options.jobs)} jobs had finished before the restart; running the others")
    guardian = start_guardian()
    gpus = find_gpus(options) if options.gpu else []
    slots = count_slots(options, gpus)
    while (waiting or running) and not stopped:
        while waiting and len(running) < slots and not stopped:
            job = waiting.pop(0)
            log, command = at_job(options, job)
            finished.forget(log)
            before = finished.before(command)
            # The group of GPUs that fewest of the running jobs have (none, unless --max-jobs-run asks for more).
            taken = [entry[-1] for entry in running.values()]
            mine = min(gpus, key=taken.count, default="")
            running[start_job(command, log, guardian, mine)] = (job, log, command, time.time(), before, mine)
        process, status = os.waitpid(-1, os.WNOHANG)
        if process in running:
            job, log, command, started, before, _ = running.pop(process)
            os.write(guardian, b"-%d\n" % process)
            finish_log(log, status, started)
            statuses[job] = status
            if status == 0:
                finished.remember(log, command, before)
        elif process == 0:
            select.select([wake_read], [], [], POLL)
            try:
                os.read(wake_read, 4096)
            except BlockingIOError:
                pass
            if orphaned(callers):
                warn("the script that called me is gone; ending the jobs")
                stopped.append(signal.SIGTERM)
    if running:
        end_groups(set(running))
        for process, (_, log, *_) in running.items():
            os.write(guardian, b"-%d\n" % process)
            with open(log, "a") as out:
                out.write(f"# Interrupted by {signal.Signals(stopped[0]).name} at {date()}\n")
    if not stopped and not any(statuses.values()):
        for job in options.jobs:
            finished.forget(at_job(options, job)[0])
    return statuses, stopped[0] if stopped else 0


def at_job(options, job):
    """The log's name and the command of one job."""
    if options.name is None:
        return options.log, options.command
    return options.log.replace(options.name, str(job)), options.command.replace(options.name, str(job))


def skipped_status(options, finished, job):
    """None if the job has to run; else the status to count it with."""
    log = at_job(options, job)[0]
    if options.pick == "all":
        return 0 if finished.is_finished(log) else None
    code = last_code(log)
    if code == "0":
        return 0
    return None if code is None or options.pick == "failed" else 1 << 8


def report_failure(options, failed):
    """Kaldi's line on standard error, then the end of the first failed job's log."""
    if len(options.jobs) == 1:
        print(f"{PROGRAM}: job failed, log is in {at_job(options, options.first)[0]}", file=sys.stderr)
    else:
        pattern = options.log.replace(options.name, "*")
        print(f"{PROGRAM}: {len(failed)} / {len(options.jobs)} failed, log is in {pattern}", file=sys.stderr)
        if len(failed) < len(options.jobs):
            numbers = " ".join(map(str, failed[:20])) + (" ..." if len(failed) > 20 else "")
            print(f"{PROGRAM}: failed: {options.name}={numbers}", file=sys.stderr)
    log = at_job(options, failed[0])[0]
    try:
        with open(log, "rb") as content:
            content.seek(max(0, os.path.getsize(log) - 20_000))
            lines = content.read().decode(errors="replace").splitlines()
    except OSError:
        return
    tail = [line for line in lines if not line.startswith("# Accounting:")][-TAIL:]
    print(f"{PROGRAM}: the end of {log}:", *(f"  {line}" for line in tail), sep="\n", file=sys.stderr, flush=True)


def main():
    try:
        options = parse(sys.argv[1:])
        statuses, stopped = run_all(options)
    except JobFailure as error:
        warn(str(error))
        return 1
    except OSError as error:
        warn(f"cannot write the log: {error}")
        return 1
    if stopped:
        warn(f"interrupted by {signal.Signals(stopped).name}; all jobs were ended")
        return 128 + stopped
    failed = sorted(job for job, status in statuses.items() if status)
    if failed:
        report_failure(options, failed)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

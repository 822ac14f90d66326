"""A line for cron. It is quiet unless something is wrong, so that cron's mail is the alarm.

Cron gives everything up to the end of the line to sh, but makes a line break of each `%` that has no backslash.
Two nights that overlap are no danger: the second finds the archive locked and ends with 11.
"""

from __future__ import annotations

import shlex

from exporter.schedule import MADE, Job

TABLE = """# {made}
# {where}
# Output is mailed: there is none while all is well. A night that the machine slept through is not made up for.
{line}
"""


def table(job: Job) -> str:
    """Return the line with a heading; with `job.user` as /etc/cron.d wants it, else for the user's own crontab."""
    where = f"/etc/cron.d/{job.name}" if job.user else "Add it to your own: crontab -e"
    return TABLE.format(made=MADE, where=where, line=line(job))


def line(job: Job) -> str:
    """Return the line."""
    key = f"OPENAI_API_KEY_FILE={shlex.quote(str(job.key_file))} " if job.key_file else ""
    run = f"{_delay(job.jitter)}{key}exec {shlex.join(job.arguments('-q'))}"
    user = f"{job.user} " if job.user else ""
    return f"{job.at.minute} {job.at.hour} * * * {user}{run}".replace("%", r"\%")


def _delay(seconds: int) -> str:
    """Wait a random while; `$RANDOM` is no part of sh."""
    return f"sleep $(($(od -An -N2 -tu2 /dev/urandom) * {seconds} / 65536)); " if seconds else ""

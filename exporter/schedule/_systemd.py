"""A service and a timer of systemd, hardened: it may write to its archive, and to nothing else.

Quoting as in systemd.syntax(7): words in double quotes, `%%` for a per cent sign, and `$$` for a dollar in commands.
"""

from __future__ import annotations

import re
from pathlib import Path

from exporter.schedule import MADE, Job

PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - places to know of, not to write to
CREDENTIAL = "openai-api-key"

SERVICE = """# {made}
# /etc/systemd/system/{name}.service, or ~/.config/systemd/user/{name}.service
[Unit]
Description=Back up conversations into {shown}
Wants=network-online.target
After=network-online.target
# Who is told of a failed night; a unit of yours, see docs/nightly.md.
# OnFailure=tell-me@%n.service
StartLimitIntervalSec=6h
StartLimitBurst=4

[Service]
Type=oneshot
ExecStart={command}
{key}
# 14: a budget is used up, the next night goes on. 3, partial, stays a failure that is seen.
SuccessExitStatus=14
# 75, the server is unwell, or killed: three more tries in this night. Any other failure waits for the next one.
Restart=on-failure
RestartSec=20min
RestartPreventExitStatus=1 2 3 5 10 11 12 13 130 143
# Pages are saved as they come; what is under way is committed within seconds of SIGTERM.
TimeoutStopSec=2min
Nice=10
IOSchedulingClass=idle
{hardening}
"""

TIMER = """# {made}
# /etc/systemd/system/{name}.timer, or ~/.config/systemd/user/{name}.timer
[Unit]
Description=Back up conversations every night

[Timer]
OnCalendar=*-*-* {at}
RandomizedDelaySec={jitter}
# A night that the machine slept through is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""

ALWAYS = """UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM"""

SYSTEM = """CapabilityBoundingSet=
PrivateDevices=yes
PrivateTmp={private_tmp}
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
ReadWritePaths={writes}"""
"Of the system's manager; a user's own may not make the namespaces that these need on every system."


def service(job: Job) -> str:
    """Return the unit that runs one night."""
    first, *rest = job.arguments()
    command = " ".join([quoted(first), *(quoted(word, dollars=True) for word in rest)])
    hardening = f"{_system(job)}\n{ALWAYS}" if job.user else ALWAYS
    user = f"User={_specifiers(job.user)}\n" if job.user else ""
    return SERVICE.format(
        made=MADE,
        name=job.name,
        shown=_specifiers(str(job.archive)),
        command=command,
        key=user + _key(job),
        hardening=hardening,
    )


def timer(job: Job) -> str:
    """Return the unit that starts it."""
    return TIMER.format(made=MADE, name=job.name, at=job.at.strftime("%H:%M:%S"), jitter=job.jitter)


def quoted(text: str, *, dollars: bool = False) -> str:
    """Return one word of a setting that is split into words; `dollars` where variables would be filled in."""
    text = _specifiers(text)
    if dollars:
        text = text.replace("$", "$$")
    if PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _key(job: Job) -> str:
    """Where the key is, and what else is secret. Neither way shows it in the unit or to `systemctl show`."""
    folder = "/etc/exporter" if job.user else "%h/.config/exporter"
    variables = f"EnvironmentFile=-{folder}/{job.name}.env"
    if not job.key_file:
        return f"# OPENAI_API_KEY=..., EXPORTER_PING_URL=..., in a file of mode 0600.\n{variables}"
    return (
        "# Read by systemd, and shown to this service only.\n"
        f"LoadCredential={CREDENTIAL}:{_specifiers(str(job.key_file))}\n"
        f"Environment=OPENAI_API_KEY_FILE=%d/{CREDENTIAL}\n"
        f"# EXPORTER_PING_URL=... and other variables, in a file of mode 0600.\n{variables}"
    )


def _system(job: Job) -> str:
    read = (*job.paths, *(Path(word) for word in job.command if word.startswith("/")))
    home = "read-only" if any(_below(path, HOMES) for path in read) else "yes"
    private_tmp = "no" if any(_below(path, TEMPORARY) for path in read) else "yes"
    writes = " ".join(quoted(f"-{path}") for path in (job.archive, *job.writes))
    return SYSTEM.format(home=home, private_tmp=private_tmp, writes=writes)


def _below(path: Path, folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)

"""What cannot be meant is said before anything is done: what is wrong, and what to write instead; it ends with 2."""

from __future__ import annotations

import shlex

import pytest

from exporter.archive import Archive
from tests.cli.conftest import Shell

MISTAKES = {
    "backup --ping http://name:word@192.0.2.1/": "its credentials are not sent over plain http",
    "backup --ping ftp://192.0.2.1/": "it is no address; write https://",
    "backup --ping http://[/": "it is no address; write https://",
    'backup --on-failure "\'x"': "it cannot be split into words: No closing quotation",
    "backup --rate nan": "nan is not a number of requests or seconds",
    "check --rebuild --subset 1/30": "are different checks; leave all but one out",
    "check --subset 31/30": "31/30 is no part of anything; 3/30 is the third of thirty",
    "check --yes": "--yes is for --accept-loss",
    "check --seed 3": "--seed, --rate and --max-requests are for --server",
    "doctor same --card": "leave one of them out",
    "encrypt --new-data-key": "--new-data-key goes with --rotate",
    "erase": "name threads, --user or --customer; or say --finish",
    "erase thread_a --finish": "name threads, --user or --customer; or say --finish",
    "erase thread_a --upstream --everywhere": "leave one out",
    "erase thread_a --rate 2": "are for --upstream and --everywhere",
    "export --per-thread": "name a folder for them with -o",
    "export --json": "name a file for the export with -o",
    "export --phone-region DE": "--phone-region and --names go with --pseudonymise",
    "export --pseudonymise --phone-region EUROPE": "'EUROPE' is no country of two letters, such as DE or US",
    "export same": "several sources use this id; say --source a",
    "export same --source agents": "several endpoints use this id: http",
    "export other": "it is not in ",
    "sandbox --switches {": "write JSON like '{\"rate\": 5}'",
    "sandbox --switches []": "write JSON like '{\"rate\": 5}'",
    "schedule cron --install": "--install is for systemd; try: (crontab -l;",
    "schedule systemd --jitter 90": "is no length of time; write 45s, 30m or 2h",
    "schedule systemd --jitter 13h": "a jitter is at most 12 hours",
    "schedule systemd --at 25:00": "is no time of day; write 02:30",
    "schedule systemd -- --archive x": "--archive goes before the --",
    "search ab --limit 100000": "--limit 100000: from 0 to ",
    "search ab --offset 1000000000": "--offset 1000000000: from 0 to ",
    "search ...": "there is no word in '...'; write letters or digits",
    "search 'a*'": "too many words begin like this; write more of the word",
    f"search '{' '.join(f'w{n}' for n in range(101))}'": "words are too many to search for",
    f"search {'w' * 9999}": "9,999 characters are too many to search for",
}


@pytest.fixture
def twice(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """An archive that knows three threads of one name."""
    shell.ok("register", "same", "--source", "assistants")
    shell.ok("register", "same", "--source", "agents")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    shell.ok("register", "same", "--source", "agents")
    return shell


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_write_instead(twice: Shell, mistake: str) -> None:
    result = twice.run(*shlex.split(mistake))

    assert (result.exit_code, MISTAKES[mistake] in " ".join(result.stderr.split())) == (2, True), result.stderr


def test_a_backup_of_nothing_says_how_to_name_a_thread(shell: Shell) -> None:
    Archive.create(shell.archive)
    result = shell.run("backup")

    assert result.exit_code == 2
    assert "no threads are registered; name some: exporter backup thread_" in result.stderr

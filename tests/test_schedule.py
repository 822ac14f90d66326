"""What `exporter schedule` prints is believed only after the programs that read it, or their rules, have read it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator

from exporter.cli import cli
from exporter.config import profiles
from exporter.errors import UsageError
from exporter.schedule import FORMS, Job, units
from exporter.schedule._systemd import quoted

KEY = "sk-nobody-may-see-this-key"
ODD = "/srv/a b%c$d'e\"f\\g"
KUBERNETES = json.loads((Path(__file__).parent / "kubernetes-1.37.json").read_text("utf-8"))
SAMPLES = Path(__file__).parents[1] / "samples"
CRON_JOB = "io.k8s.api.batch.v1.CronJob"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("EXPORTER_CONFIG", "EXPORTER_ARCHIVE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["schedule", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def made(*words: str) -> dict[str, str]:
    """The units by name."""
    result = run("--json", *words)
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1]["message_type"] == "summary"
    return {line["name"]: line["text"] for line in lines[:-1]}


def settings(text: str) -> list[tuple[str, str]]:
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def words_of(value: str, *, dollars: bool) -> list[str]:
    """Split a setting as systemd.syntax(7) and systemd.service(5) say."""
    found = [word.replace("%%", "%") for word in shlex.split(value)]
    return [word.replace("$$", "$") for word in found] if dollars else found


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed here")
@pytest.mark.parametrize("whose", ["--system", "--user"])
@pytest.mark.parametrize("more", [[], ["--key-file", "/etc/exporter/a key%"], ["--", "--max-requests", "100"]])
def test_systemd_takes_the_units_without_a_word(tmp_path: Path, whose: str, more: list[str]) -> None:
    files = made("systemd", whose, "-a", ODD, *more)
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    command = ["systemd-analyze", "verify", whose, *(str(tmp_path / name) for name in files)]
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)

    assert set(files) == {"exporter-backup.service", "exporter-backup.timer"}
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed here")
def test_systemd_takes_the_sample_that_tells_of_failures(tmp_path: Path) -> None:
    unit = tmp_path / "tell-me@exporter-backup.service"
    unit.write_text((SAMPLES / "systemd" / "tell-me@.service").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed here")
def test_the_service_is_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "exporter-backup.service"
    unit.write_text(made("systemd", "--system")["exporter-backup.service"], "utf-8")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze is too old to judge a file")
    assert done.returncode == 0, done.stdout


def test_systemd_reads_every_path_as_it_is() -> None:
    words = ("--max-requests", "100", "@/srv/100% of $HOME")
    job = Job(("/opt/a b/exporter",), Path(ODD), time(2, 30), 60, words=words, config=Path("/x y"), user="ann")
    found = dict(settings(units("systemd", job)[0].text))

    assert tuple(words_of(found["ExecStart"], dollars=True)) == job.arguments()
    assert words_of(found["ReadWritePaths"], dollars=False) == [f"-{ODD}"]
    assert found["ExecStart"].startswith('"/opt/a b/exporter" ')


def test_a_plain_path_stands_without_quotes() -> None:
    assert quoted("/srv/archive") == "/srv/archive"
    assert quoted("50%") == '"50%%"'
    assert quoted("$a", dollars=True) == '"$$a"'


def test_the_service_writes_to_its_archive_and_its_metrics_only() -> None:
    text = made("systemd", "--system", "-a", "/srv/a", "--", "--metrics", "/var/lib/node/exporter.prom")
    found = dict(settings(text["exporter-backup.service"]))

    assert found["ProtectSystem"] == "strict"
    assert words_of(found["ReadWritePaths"], dollars=False) == ["-/srv/a", "-/var/lib/node"]
    assert found["UMask"] == "0077"


@pytest.mark.parametrize(
    ("archive", "name", "value"),
    [
        ("/srv/a", "ProtectHome", "yes"),
        ("/home/ann/a", "ProtectHome", "read-only"),
        ("/srv/a", "PrivateTmp", "yes"),
        ("/tmp/a", "PrivateTmp", "no"),
    ],
)
def test_what_the_archive_needs_is_not_hidden(archive: str, name: str, value: str) -> None:
    job = Job(("/opt/exporter",), Path(archive), time(2, 30), 0, user="ann")

    assert dict(settings(units("systemd", job)[0].text))[name] == value


def test_a_night_with_a_used_up_budget_is_none_that_failed() -> None:
    found = dict(settings(made("systemd")["exporter-backup.service"]))

    assert found["SuccessExitStatus"] == "14"
    assert {"3", "12", "13"} <= set(found["RestartPreventExitStatus"].split())
    assert not {"75", "14"} & set(found["RestartPreventExitStatus"].split())


def test_the_timer_makes_up_for_nights_and_begins_at_random() -> None:
    found = dict(settings(made("systemd", "--at", "1:05", "--jitter", "45m")["exporter-backup.timer"]))

    assert found["OnCalendar"] == "*-*-* 01:05:00"
    assert found["RandomizedDelaySec"] == "2700"
    assert found["Persistent"] == "true"


def night(text: str, tmp_path: Path, *, user: bool) -> list[str]:
    """Run the line of a table as cron does, with a program that writes down its arguments and key file."""
    (line,) = (line for line in text.splitlines() if line and not line.startswith("#"))
    fields = line.split(" ", 6 if user else 5)
    assert fields[:5] == ["5", "1", "*", "*", "*"]
    command = fields[-1].replace(r"\%", "\0")
    assert "%" not in command
    said = tmp_path / "said"
    environ = {"PATH": "/usr/bin:/bin", "SAID": str(said)}
    subprocess.run(["/bin/sh", "-c", command.replace("\0", "%")], env=environ, check=True, timeout=30)
    return said.read_text("utf-8").split("\0")[:-1]


@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("jitter", [0, 1])
def test_cron_runs_what_is_meant(tmp_path: Path, user: str | None, jitter: int) -> None:
    program = tmp_path / "my exporter"
    program.write_text('#!/bin/sh\nprintf "%s\\0" "$OPENAI_API_KEY_FILE" "$@" > "$SAID"\n', "utf-8")
    program.chmod(0o700)
    job = Job((str(program),), Path(ODD), time(1, 5), jitter, words=("@50% $HOME",), key_file=Path("/k %"), user=user)

    key_file, *words = night(units("cron", job)[0].text, tmp_path, user=user is not None)
    assert key_file == "/k %"
    assert words == ["-q", "backup", f"--archive={ODD}", "@50% $HOME"]


def kubernetes(*words: str) -> dict[str, Any]:
    """The documents by kind, each as the schema of Kubernetes wants it."""
    (text,) = made("kubernetes", *words).values()
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    places = {
        "CronJob": "io.k8s.api.batch.v1.CronJob",
        "PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    }
    assert set(found) == set(places)
    for kind, place in places.items():
        schema = {"$ref": f"#/$defs/{place}", "$defs": KUBERNETES["$defs"]}
        assert [error.message for error in Draft7Validator(schema).iter_errors(found[kind])] == []
    return found


def test_the_schema_refuses_what_kubernetes_does_not_know() -> None:
    schema = {"$ref": f"#/$defs/{CRON_JOB}", "$defs": KUBERNETES["$defs"]}

    assert not Draft7Validator(schema).is_valid({"kind": "CronJob", "spec": {"shedule": "* * * * *"}})


@pytest.mark.parametrize("words", [[], ["--jitter", "0s"], ["--config", "any"], ["-a", ODD]])
def test_kubernetes_takes_the_job(words: list[str]) -> None:
    kubernetes(*words)


def test_the_cron_job_is_alone_bounded_and_without_rights() -> None:
    job = kubernetes("--at", "04:10", "--", "--max-requests", "7", "thread_$(HOME)")["CronJob"]["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == ("10 4 * * *", "Etc/UTC", "Forbid")
    assert job["startingDeadlineSeconds"] > 0
    assert pod["securityContext"]["runAsNonRoot"] is True
    for one in (container, *pod["initContainers"]):
        rights = one["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"]
    assert container["args"][-3:] == ["--max-requests", "7", "thread_$$(HOME)"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "exporter-backup"


def test_the_volume_has_room_for_a_private_folder() -> None:
    container = kubernetes()["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]

    assert "--archive=/data/archive" in container["args"]
    assert container["volumeMounts"][0]["mountPath"] == "/data"


@pytest.mark.parametrize("form", FORMS)
def test_no_form_has_the_key(form: str) -> None:
    assert KEY not in run(form).output
    refused = run(form, "--", "--ping", f"https://hc.example/{KEY}")
    assert refused.exit_code == 2
    assert KEY not in refused.output


@pytest.mark.parametrize(
    "words",
    [
        ["systemd", "--at", "24:00"],
        ["systemd", "--at", "2"],
        ["cron", "--jitter", "30"],
        ["cron", "--jitter", "13h"],
        ["systemd", "--name", "a b"],
        ["systemd", "--name", "../x"],
        ["cron", "-a", "/srv/a\nb"],
        ["cron", "--install"],
        ["kubernetes", "--install"],
        ["kubernetes", "--key-file", "/k"],
        ["systemd", "--", "-a", "/elsewhere"],
        ["systemd", "--", "--config", "x"],
        ["systemd", "--", "--max-request", "0"],
        ["windows"],
    ],
)
def test_wrong_usage_is_said_now_and_not_at_night(words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_path_that_cannot_be_written_down_is_refused() -> None:
    with pytest.raises(UsageError, match="control characters"):
        Job(("/opt/exporter",), Path("/a"), time(2), 0, words=("a\nb",))


def test_the_profiles_that_are_found_now_are_found_at_night(tmp_path: Path) -> None:
    (tmp_path / "exporter.toml").write_text("[profiles.default]\n", "utf-8")

    assert f"--config={tmp_path}/exporter.toml" in made("systemd")["exporter-backup.service"]
    assert f"--config={tmp_path}/exporter.toml" in made("cron")["exporter-backup"]


def test_a_key_may_be_in_a_file_that_the_service_is_given(tmp_path: Path) -> None:
    (tmp_path / "credential").write_text(f"{KEY}\n", "utf-8")
    environ = {"OPENAI_API_KEY_FILE": str(tmp_path / "credential")}

    assert profiles(environ=environ)["default"].key.reveal() == KEY
    assert profiles(environ=environ | {"OPENAI_API_KEY": "sk-first"})["default"].key.reveal() == "sk-first"


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it is asked."""
    program, said = tmp_path / "bin" / "systemctl", tmp_path / "said"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\n', "utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return said


def test_install_writes_the_units_and_starts_the_timer(tmp_path: Path, systemctl: Path) -> None:
    for _ in range(2):  # again is no error
        result = run("systemd", "--user", "--install", "-a", str(tmp_path / "a"))
        assert result.exit_code == 0, result.stderr
    unit = tmp_path / "home/.config/systemd/user/exporter-backup.service"

    assert unit.read_text("utf-8").count(str(tmp_path / "a")) == 2
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert systemctl.read_text("utf-8").splitlines()[:2] == [
        "--user daemon-reload",
        "--user enable --now exporter-backup.timer",
    ]


def test_install_overwrites_nobody_elses_unit(tmp_path: Path, systemctl: Path) -> None:
    unit = tmp_path / "home/.config/systemd/user/exporter-backup.timer"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Timer]\n", "utf-8")

    result = run("systemd", "--user", "--install")
    assert result.exit_code == 2
    assert "not ours" in result.stderr
    assert unit.read_text("utf-8") == "[Timer]\n"
    assert not unit.with_suffix(".service").exists()
    assert not systemctl.exists()


def test_install_says_what_to_do_where_systemd_refuses(tmp_path: Path, systemctl: Path) -> None:
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\nexit 1\n", "utf-8")

    result = run("systemd", "--user", "--install")
    assert result.exit_code == 1
    assert "systemctl --user daemon-reload && systemctl --user enable --now exporter-backup.timer" in result.stderr

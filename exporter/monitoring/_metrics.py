"""A file for node_exporter's textfile collector, replaced as a whole.

What a night cannot know keeps the value that the file had: a run that found the archive locked says so, and takes no
number away. So the newest success is remembered as long as the file is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from exporter.files import replacing
from exporter.monitoring._ending import Ending

READABLE = 0o644
METRICS = {
    "exporter_info": "The version that ran last.",
    "exporter_last_run_exit_code": "How the newest run ended; 0 is complete.",
    "exporter_last_run_timestamp_seconds": "When the newest run ended.",
    "exporter_last_run_duration_seconds": "How long it took.",
    "exporter_last_success_timestamp_seconds": "When a run last ended well: complete, or with its budget used up.",
    "exporter_last_run_requests": "Requests that the newest run sent.",
    "exporter_last_run_visited_threads": "Threads that it visited.",
    "exporter_last_run_records": "New objects that it archived.",
    "exporter_last_run_files": "Files that it fetched.",
    "exporter_last_run_file_bytes": "Their size, together.",
    "exporter_last_run_failed_threads": "Threads that it could not read whole, counted up to 1,000.",
    "exporter_threads": "Registered threads, by source and state.",
    "exporter_threads_at_risk": "Threads that may lose something within 7 days unless they are visited.",
}
"Every metric, with what it is. All are gauges and have the label `archive`."
COUNTED = {"requests": "requests", "visited_threads": "visited", "records": "records", "files": "blobs"}
"Metrics of a run, and what its report calls them."


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...]


class Samples(Collector):
    """Shows samples to prometheus_client."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = list(samples)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics in the order of `METRICS`, one for each name."""
        for name, about in METRICS.items():
            of_name = [sample for sample in self._samples if sample.name == name]
            if of_name:
                family = GaugeMetricFamily(name, about, labels=[label for label, _ in of_name[0].labels])
                for sample in of_name:
                    family.add_metric([value for _, value in sample.labels], sample.value)
                yield family


def write(path: Path, ending: Ending) -> None:
    """Replace the file; `ArchiveError` where it cannot be written."""
    content = rendered(ending, _text(path))
    with replacing(path) as file:
        os.fchmod(file.fileno(), READABLE)  # another user's node_exporter reads it, and no id is in it
        file.write(content)


def rendered(ending: Ending, before: str = "") -> bytes:
    """Return the content of the file, given the one before it."""
    samples = list(_samples(ending))
    known = {sample.name for sample in samples}
    kept = (sample for sample in _read(before, ending.archive) if sample.name not in known)
    registry = CollectorRegistry()
    registry.register(Samples([*samples, *kept]))
    return generate_latest(registry)


def _samples(ending: Ending) -> Iterator[Sample]:
    archive = (("archive", ending.archive),)

    def one(name: str, value: float, **labels: str) -> Sample:
        return Sample(f"exporter_{name}", float(value), (*archive, *labels.items()))

    ended = ending.finished_at.timestamp()
    yield one("info", 1, version=ending.version)
    yield one("last_run_exit_code", ending.exit_code)
    yield one("last_run_timestamp_seconds", ended)
    yield one("last_run_duration_seconds", max(0.0, (ending.finished_at - ending.started_at).total_seconds()))
    if ending.good:
        yield one("last_success_timestamp_seconds", ended)
    if ending.report is not None:
        for name, key in COUNTED.items():
            yield one(f"last_run_{name}", ending.report.get(key, 0))
        yield one("last_run_file_bytes", ending.report.get("blob_bytes", 0))
        yield one("last_run_failed_threads", len(ending.report.get("errors", ())))
    for (source, state), count in sorted((ending.threads or {}).items()):
        yield one("threads", count, source=source, state=state)
    if ending.at_risk is not None:
        yield one("threads_at_risk", ending.at_risk)


def _read(text: str, archive: str) -> Iterator[Sample]:
    """Read our samples of a file; nothing where it is none of ours."""
    try:
        families = list(text_string_to_metric_families(text))
    except (ValueError, KeyError, IndexError):
        return
    for family in families:
        for sample in family.samples:
            if sample.name in METRICS and sample.labels.get("archive") == archive:
                yield Sample(sample.name, sample.value, tuple(sample.labels.items()))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

"""What models cost, as the user says: nothing is known until somebody does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from exporter.errors import UsageError

_FIELDS: dict[str, pa.DataType] = {"model": pa.string(), "input": pa.float64(), "output": pa.float64()}
SCHEMA = pa.schema(_FIELDS)
"Of each model, what a million tokens cost, in whatever money."


def prices(said: Any) -> pa.Table:
    """Return prices from a CSV file, a dict `{model: (input, output)}`, or anything that is a table."""
    try:
        found = _table(said).select(SCHEMA.names).cast(SCHEMA)
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise UsageError(f"prices: {error}; they need the columns {', '.join(SCHEMA.names)}") from error
    models = found.column("model").to_pylist()
    if len(set(models)) < len(models):
        raise UsageError("prices: a model is named twice; leave one of its rows")
    return found


def _table(said: Any) -> pa.Table:
    if isinstance(said, (str, Path)):
        from pyarrow import csv

        return csv.read_csv(str(said))
    if isinstance(said, Mapping):
        rows = [{"model": model, "input": input_, "output": output} for model, (input_, output) in said.items()]
        return pa.Table.from_pylist(rows, SCHEMA)
    if isinstance(said, pa.Table):
        return said
    return pa.table(said) if hasattr(said, "__arrow_c_stream__") else pa.Table.from_pandas(said, preserve_index=False)

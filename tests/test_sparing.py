"""What a process of the command line does without is missing nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.transport.test_download import certificate

CODE = """
import ssl, sys, threading
from exporter.sparing import spare

def believed():
    beside.append(len(ssl.create_default_context().get_ca_certs()))

class Beside:
    @staticmethod
    def find_spec(name, *_):
        if name == "aiohttp.client_proto" and "aiohttp.connector" in sys.modules:  # which is importing it
            other = threading.Thread(target=believed)
            other.start()
            other.join()

beside = []
spare()
sys.meta_path.insert(0, Beside)
from aiohttp import connector
own = connector._SSL_CONTEXT_VERIFIED
print(own.verify_mode.name, own.check_hostname, len(own.get_ca_certs()))
believed()
print(*beside)
"""


def test_contexts_that_no_connection_of_ours_uses_trust_nobody_and_those_of_others_do(tmp_path: Path) -> None:
    certificate(tmp_path / "cert.pem", "localhost")
    environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "cert.pem"), "SSL_CERT_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["CERT_REQUIRED True 0", "1 1"]


def test_what_was_imported_is_not_looked_through_for_garbage_as_a_command_ends() -> None:
    code = "import gc\nfrom exporter.__main__ import main\ntry: main(['--help'])\nfinally: print(len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert int(done.stdout.splitlines()[-1]) < 1000


def test_arrows_functions_take_their_options_without_having_read_about_them() -> None:
    code = """
from exporter.sparing import spare
spare()
import pyarrow as pa
import pyarrow.compute as pc
print(pc.index_in(pa.array([1, 2]), value_set=pa.array([2])).to_pylist(), "value_set" in pc.index_in.__doc__)
print(pc.round(1.25, ndigits=1, round_mode="down").as_py(), pc.sum(pa.array([1, 2])).as_py())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[None, 0] False", "1.2 3"]

"""An engine that this package knows nothing of takes thirty lines: they run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


def test_the_taskiq_example_sends_a_campaign(dsn: str, stage: Any) -> None:
    """As a program of its own, each message once, and it ends by itself."""
    done = subprocess.run(  # noqa: S603  # our own example
        [sys.executable, "-W", "error", str(EXAMPLES / "taskiq_worker.py")],
        env=os.environ
        | stage.server.env
        | {"LEDGER_DSN": dsn, "MULTIWHATS_FROM": "908503080335", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "messages=50, added=50, chunks=1" in done.stdout
    assert "accepted=50" in done.stdout
    assert (stage.emulator.stats().accepted, stage.emulator.stats().sent_twice) == (50, 0)

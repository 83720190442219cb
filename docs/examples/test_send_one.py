import os
import subprocess
import sys
from pathlib import Path

from multiwhats_async.testing import MultiWhatsServerKit

PROGRAM = Path(__file__).with_name("send_one.py")


def test_the_program_sends_one_message(multiwhats_server: MultiWhatsServerKit) -> None:
    settings = {**os.environ, **multiwhats_server.env}
    subprocess.run([sys.executable, str(PROGRAM)], env=settings, check=True)
    multiwhats_server.assert_sent(to="905374937766", buttons=["👍 Yes", "⛔ No"], times=1)

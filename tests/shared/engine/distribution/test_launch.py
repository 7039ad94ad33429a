"""`kerasuite launch`: ends together, passes codes and signals on, leaves nobody behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from shared.common.errors import Interrupted, KerasuiteError
from shared.engine.distribution import launch as launching
from shared.engine.distribution.launch import launch
from shared.testing.processes import ROOT

# A stand-in for cli.py: what a worker does is told by its arguments.
WORKER = """
import os, json, sys, time
from shared.engine.distribution.launch import end_with_launcher
end_with_launcher()
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
code, seconds = sys.argv[1 + index].split(":")
print("threads", os.environ.get("TF_NUM_INTRAOP_THREADS"), flush=True)
if len(sys.argv) > 3:
    open(sys.argv[3] + str(index), "w").write(str(os.getpid()))
time.sleep(float(seconds))
sys.exit(int(code))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A folder whose `cli` is the stand-in; the current folder has a user's own `cli.py`."""
    (tmp_path / "cli.py").write_text(WORKER)
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "cli.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path / "user")
    monkeypatch.setattr(launching, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path


def test_all_end_well(stand_in, capfdbinary):
    assert launch(["0:0", "0:0.3"], workers=2) == 0
    out = capfdbinary.readouterr().out
    assert b"[0] threads" in out
    assert b"[1] threads" in out


def test_some_rejected(stand_in):
    assert launch(["3:0", "0:0"], workers=2) == 3


def test_one_that_fails_ends_all(stand_in):
    started = time.monotonic()
    with pytest.raises(KerasuiteError, match="worker 1 failed with exit code 7") as error:
        launch(["0:100", "7:0"], workers=2)
    assert error.value.exit_code == 7
    assert time.monotonic() - started < 60


def test_one_that_is_killed_ends_all(stand_in):
    import threading

    def kill():
        path = stand_in / "pid1"
        while not path.exists() or not path.read_text():
            time.sleep(0.05)
        os.kill(int(path.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(KerasuiteError, match="worker 1 was ended by signal 9"):
        launch(["0:100", "0:100", str(stand_in / "pid")], workers=2)
    killer.join()


def test_signals_are_passed_on(stand_in):
    import threading

    def interrupt():
        while not all((stand_in / f"pid{index}").exists() for index in range(2)):
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    # The stand-in has no handler: it dies by the signal, which is a failure of a worker.
    with pytest.raises((KerasuiteError, Interrupted)):
        launch(["0:100", "0:100", str(stand_in / "pid")], workers=2)
    interrupter.join()


def test_workers_end_with_their_launcher(stand_in):
    code = (
        "import pathlib; from shared.engine.distribution import launch; "
        f"launch.ROOT = pathlib.Path({str(stand_in)!r}); "
        f"launch.launch(['0:100', '0:100', {str(stand_in / 'pid')!r}], workers=2)"
    )
    launcher = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.DEVNULL)
    files = [stand_in / f"pid{index}" for index in range(2)]
    while not all(file.exists() and file.read_text() for file in files):
        time.sleep(0.05)
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + 20
    while any(is_running(int(file.read_text())) for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_hosts_and_index(stand_in):
    with pytest.raises(KerasuiteError, match="--index 2"):
        launch(["x"], workers=0, hosts="a:1,b:2", index=2)
    with pytest.raises(KerasuiteError, match="--hosts names 2"):
        launch(["x"], workers=3, hosts="a:1,b:2")
    with pytest.raises(KerasuiteError, match="name the command"):
        launch([], workers=2)
    assert launch(["7:0", "0:0"], workers=0, hosts="a:1,b:2", index=1) == 0


def test_gpus_are_dealt_out(stand_in, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(KerasuiteError, match=r"this machine has 1 GPU\(s\)"):
        launch(["0:0", "0:0"], workers=2)

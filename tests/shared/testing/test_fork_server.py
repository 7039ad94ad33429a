"""Forks of the server behave as processes of their own."""

import os
import signal

from shared.testing.processes import kerasuite, start, wait_until


def run(code, **options):
    """Runs a piece of Python in a fork: the standard module that does so is `timeit`."""
    return kerasuite("-n1", "-r1", code, module="timeit", **options)


def test_output_errors_environment_and_standard_input(tmp_path):
    text = tmp_path / "in.txt"
    text.write_text("ünï")
    code = """import os, sys
print(os.environ["WORD"], sys.stdin.read(), "HOME" in os.environ)
print("problem", file=sys.stderr)"""
    with open(text) as stdin:
        done = run(code, environment={"WORD": "word"}, stdin=stdin)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "word ünï False"
    assert done.stderr == "problem\n"


def test_exit_codes():
    assert run("1 / 0").returncode == 1
    assert kerasuite("--version").returncode == 0
    assert kerasuite("no-such-task").returncode == 2


def test_a_signal_ends_it(tmp_path):
    code = f"import time; open({str(tmp_path / 'ready')!r}, 'w'); time.sleep(100)"
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start("-n1", "-r1", code, module="timeit")
        wait_until(process, (tmp_path / "ready").exists)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(timeout=30) == -number
        (tmp_path / "ready").unlink()


def test_several_run_at_once(tmp_path):
    """Each waits for a file that the next one writes."""
    first = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'a')!r}): time.sleep(0.01)"
    second = f"open({str(tmp_path / 'a')!r}, 'w')"
    processes = [start("-n1", "-r1", code, module="timeit") for code in (first, second)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]


def test_devices_and_threads_are_set_in_the_child():
    for count in (1, 3):
        code = f"""import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * {count})
tf.config.threading.set_intra_op_parallelism_threads({count})
print(len(tf.config.list_logical_devices("CPU")), float(tf.constant(1.0) + 1.0))"""
        assert run(code).stdout.splitlines()[0] == f"{count} 2.0"


def test_the_parent_of_a_child_is_the_server():
    code = "import os; print(os.getppid())"
    assert int(run(code).stdout.splitlines()[0]) != os.getpid()

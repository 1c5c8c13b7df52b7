"""A Slurm of one node, started by a test and ended with it, beside any that the machine has."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

DAEMONS = ("munged", "slurmctld", "slurmd")
PATIENCE = 180.0

CONF = """\
ClusterName=narrascope
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={home}/munge.socket
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,sched_min_interval=0
MailProg=/bin/true
MaxArraySize=1001
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that other processes bring about, and fail where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {PATIENCE:.0f} s"
        time.sleep(0.1)


@contextmanager
def slurm_node() -> Iterator[dict[str, str]]:
    """Run munged, slurmctld and slurmd; yields the environment that finds them."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    programs = {name: shutil.which(name, path=path) for name in DAEMONS}
    if missing := [name for name, program in programs.items() if program is None]:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("a Slurm of one's own needs root")
    # A short path: that of a socket may have no more than some hundred characters.
    home = Path(tempfile.mkdtemp(prefix="slurm-"))
    environment = {**os.environ, "PATH": path, "SLURM_CONF": f"{home}/slurm.conf"}
    with ExitStack() as running:
        running.callback(shutil.rmtree, home, ignore_errors=True)
        write_conf(home)

        def start(name: str, *options: str) -> None:
            log = running.enter_context((home / f"{name}.log").open("wb"))
            daemon = subprocess.Popen(
                [str(programs[name]), *options], env=environment, stdout=log, stderr=log
            )
            running.callback(daemon.wait)
            running.callback(daemon.terminate)

        start(
            "munged", "--foreground", "--force", f"--socket={home}/munge.socket",
            f"--key-file={home}/munge.key", f"--pid-file={home}/munged.pid",
            f"--seed-file={home}/munged.seed", f"--log-file={home}/munged.log",
        )  # fmt: skip
        until((home / "munge.socket").exists, "munge's socket")
        for name in DAEMONS[1:]:
            start(name, "-D", "-f", f"{home}/slurm.conf")

        def is_idle() -> bool:
            asked = subprocess.run(
                ["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True,
                text=True,
            )  # fmt: skip
            return asked.stdout.strip() == "idle"

        until(is_idle, "an idle node")
        yield environment


def write_conf(home: Path) -> None:
    home.chmod(0o755)
    for folder in ("state", "spool"):
        (home / folder).mkdir()
    (home / "munge.key").write_bytes(os.urandom(128))
    (home / "munge.key").chmod(0o400)
    ports = [free_port(), free_port()]
    host = socket.gethostname().partition(".")[0]
    conf = CONF.format(host=host, home=home, ctld_port=ports[0], d_port=ports[1])
    (home / "slurm.conf").write_text(conf)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def in_queue(environment: dict[str, str]) -> list[str]:
    """Return the ids of the jobs that Slurm has."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--format=%A"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return asked.stdout.split()

"""Runs in the emulated machine: executes commands that it receives over a serial port.

Each line is a JSON object. The reply to `{"run": COMMAND}` is `{"code": …, "output": …}`. After a
boot, the agent sends `{"up": BOOT_ID}`.
"""

import json
import pathlib
import subprocess
import sys


def main(port_name):
    with pathlib.Path(port_name).open("r+b", buffering=0) as port:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        send(port, {"up": boot})
        received = b""
        while True:
            received += port.read(65536)
            while b"\n" in received:
                line, received = received.split(b"\n", 1)
                if line.strip():
                    send(port, execute(json.loads(line)))


def execute(request):
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", request["run"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:  # for example, a command that is too long
        return {"code": 126, "output": str(error)}
    return {"code": done.returncode, "output": done.stdout.decode(errors="replace")}


def send(port, message):
    left = json.dumps(message).encode() + b"\n"
    while left:
        left = left[port.write(left) :]


if __name__ == "__main__":
    main(sys.argv[1])

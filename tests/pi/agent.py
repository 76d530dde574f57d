"""Runs in the emulated machine: does what comes in over a serial port, a JSON object a line.

`{"run": COMMAND}` is answered with `{"code": …, "output": …}`; a machine that has just come up
says `{"up": BOOT_ID}` of itself.
"""

import json
import pathlib
import subprocess
import sys


def main(port_name):
    with pathlib.Path(port_name).open("r+b", buffering=0) as port:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        say(port, {"up": boot})
        waiting = b""
        while True:
            waiting += port.read(65536)
            while b"\n" in waiting:
                line, waiting = waiting.split(b"\n", 1)
                if line.strip():
                    say(port, do(json.loads(line)))


def do(wish):
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", wish["run"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:  # a command that is too long, say
        return {"code": 126, "output": str(error)}
    return {"code": done.returncode, "output": done.stdout.decode(errors="replace")}


def say(port, words):
    left = json.dumps(words).encode() + b"\n"
    while left:
        left = left[port.write(left) :]


if __name__ == "__main__":
    main(sys.argv[1])

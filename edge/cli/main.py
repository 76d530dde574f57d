"""The command line of `mask-patrol`: one function a command, each with its own imports."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import __version__
from edge.bench.command import add_bench
from edge.cli.service_commands import add_status, add_update
from edge.common.errors import UsageError, UserError
from edge.common.logging_setup import FORMATS, set_up
from edge.config.settings import Settings, change, load_settings
from edge.dashboard.command import add_dashboard

LOG_LEVELS = ("debug", "info", "warning", "error")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `mask-patrol`; returns the exit code and never shows a traceback
    for what a user can mend."""
    _mend_standard_streams()
    options = _parser().parse_args(arguments)
    _set_up_logging(options)
    try:
        code = int(options.do(options))
        sys.stdout.flush()
        return code
    except UserError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"mask-patrol: {line}\n")
        return error.exit_code
    except OSError as error:
        # Files are dealt with where they are used: what comes here is standard output, or
        # something that nobody foresaw, and it bears its file's name.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0  # whoever read it has had enough
        where = error.filename or "standard output"
        sys.stderr.write(f"mask-patrol: {where}: {error.strerror or error}\n")
        return UserError.exit_code
    except KeyboardInterrupt:
        return 130


def _mend_standard_streams() -> None:
    """Open what was closed (`>&-`), lest a socket or a database become standard output."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows a ? instead


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mask-patrol",
        description="Notices each bare face at an entrance and says so over MQTT.",
        epilog="Exit codes: 0 fine, 1 something failed, 2 wrong command or configuration,"
        " 3 the source ended and events still wait for the broker.",
    )
    parser.add_argument("--version", action="version", version=f"mask-patrol {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_detect(commands)
    _add_check(commands)
    _add_watch(commands)
    add_status(commands)
    add_update(commands)
    add_bench(commands, _add_common)
    add_dashboard(commands, _add_common, _overridden)
    return parser


def _add_common(parser: argparse.ArgumentParser, default_level: str = "warning") -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, a TOML file")
    parser.add_argument(
        "--log-level", choices=LOG_LEVELS, default=default_level, help="default: %(default)s"
    )
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default="auto",
        help="text, for the systemd journal, or one JSON object a line (default: text, or"
        " journal when the journal reads it)",
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        metavar="WHERE",
        help="picamera2, /dev/video0, rtsp://…, http://…, a video file, a folder of pictures, or"
        " `demo` for the bundled clip (default: camera.source of the configuration)",
    )
    parser.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help="MQTT broker (default: mqtt.host of the configuration, else an embedded one)",
    )


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="watch a source and publish no-mask events",
        description="Watch a source and publish an event for each bare face over MQTT."
        " A file ends by itself; a camera or stream runs until Ctrl-C.",
    )
    _add_common(parser, default_level="info")
    _add_source(parser)
    parser.add_argument(
        "--events", type=Path, metavar="FILE", help="append events to FILE too, as JSON lines"
    )
    parser.add_argument(
        "--no-mqtt",
        action="store_true",
        help="do not publish anything; `seq` then counts within the run",
    )
    parser.add_argument(
        "--pace",
        choices=("realtime", "fast"),
        default="realtime",
        help="realtime: files play at their own speed; fast: every frame, as quickly as"
        " possible, with the file's own time (default: %(default)s)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="show the alerts as a subscriber receives them, stage times and a summary",
    )
    parser.set_defaults(do=_run)


def _add_detect(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "detect",
        help="find and classify the faces in pictures",
        description="Find the faces in pictures and say of each whether it wears a mask.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, a picture")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write annotated copies to DIR")
    parser.add_argument(
        "--crop", action="store_true", help="take each picture as an already framed face"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="a .tflite with its card")
    _add_common(parser)
    parser.set_defaults(do=_detect)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="try every part and say what is wrong",
        description="Try every part for real: configuration, model, an inference, the cascade,"
        " a frame from the source, the outbox, the broker. Exit code 0 only when all work.",
    )
    _add_common(parser)
    _add_source(parser)
    parser.set_defaults(do=_check)


def _add_watch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "watch",
        help="show the alerts of all devices",
        description="Subscribe to the events of all devices at a broker and show each as a line,"
        " until Ctrl-C.",
    )
    _add_common(parser)
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="MQTT broker (default: mqtt.host, else 127.0.0.1)"
    )
    parser.set_defaults(do=_watch)


# Each command imports what it needs when it is called: a short command starts fast.


def _run(options: argparse.Namespace) -> int:
    from edge.daemon.run import RunOptions, run

    if options.no_mqtt and (options.watch or options.broker is not None):
        raise UsageError("--no-mqtt publishes nothing: it goes with neither --watch nor --broker")

    def load() -> Settings:
        return _overridden(load_settings(options.config), options)

    fast = options.pace == "fast"
    return run(load(), RunOptions(load, options.events, not options.no_mqtt, fast, options.watch))


def _detect(options: argparse.Namespace) -> int:
    from edge.cli.detect import DetectOptions, detect

    settings = load_settings(options.config)
    if options.model:
        settings = change(settings, classifier={"model": str(options.model)})
    return detect(settings, DetectOptions(options.images, options.json, options.out, options.crop))


def _check(options: argparse.Namespace) -> int:
    from edge.cli.check import preflight

    good = True
    for finding in preflight(options.config, lambda s: _overridden(s, options)):
        good = good and finding.ok
        for number, line in enumerate(finding.text.splitlines()):
            head = f"{'ok' if finding.ok else 'FAIL':<5} {finding.part:<14}"
            sys.stdout.write(f"{head if number == 0 else ' ' * len(head)} {line}\n")
        sys.stdout.flush()
    return 0 if good else UserError.exit_code


def _watch(options: argparse.Namespace) -> int:
    from edge.common.terminal import Terminal
    from edge.mqtt.alert_subscriber import AlertSubscriber
    from edge.mqtt.broker import Broker

    settings = _overridden(load_settings(options.config), options)
    mqtt = (
        settings.mqtt if settings.mqtt.host else change(settings, mqtt={"host": "127.0.0.1"}).mqtt
    )
    screen = Terminal()
    watcher = AlertSubscriber(Broker.from_settings(mqtt), mqtt.base, screen.show)
    watcher.start()
    screen.show(f"Watching {mqtt.base}/+/events at {mqtt.host}. Ctrl-C stops.")
    try:
        watcher.watch()
    except KeyboardInterrupt:
        return 0
    finally:
        watcher.stop()


def _overridden(settings: Settings, options: argparse.Namespace) -> Settings:
    if getattr(options, "source", None) is not None:
        settings = change(settings, camera={"source": options.source})
    if options.broker is not None:
        host, port = _host_and_port(options.broker)
        if port is None:
            port = settings.mqtt.port
        settings = change(settings, mqtt={"host": host, "port": port})
    return settings


def _host_and_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]:port`; raises UsageError for anything else."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(?::([0-9]{1,9}))?", text)
    if found is None:
        raise UsageError(f"--broker is HOST, HOST:PORT or [IPV6]:PORT, not {text!r}")
    host, port = found.groups()
    return host.strip("[]"), int(port) if port else None


def _set_up_logging(options: argparse.Namespace) -> None:
    # OpenCV and its FFmpeg write to standard error by themselves, past `logging`; what
    # matters of it we say in our own words. They read these when they are first used.
    if options.log_level != "debug":
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    set_up(options.log_level, options.log_format)


if __name__ == "__main__":
    sys.exit(main())

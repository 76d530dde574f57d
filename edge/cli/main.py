"""The command line of `mask-patrol`: one function per command, which imports what it needs."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from edge import __version__
from edge.bench.command import add_bench
from edge.cli.broker_commands import add_broker
from edge.cli.camera_commands import add_camera
from edge.cli.command_parser import Commands, add_command
from edge.cli.output_commands import add_outputs
from edge.cli.service_commands import add_screen, add_status, add_update
from edge.common.errors import UsageError, UserError
from edge.common.hidden_passwords import (
    hide_in_all_messages,
    hide_passwords,
    without_password,
)
from edge.common.logging_setup import FORMATS, set_up
from edge.common.paths import private_files
from edge.config.settings import DEFAULT_BROKER_HOST, Settings, change, load_settings
from edge.dashboard.command import add_dashboard

LOG_LEVELS = ("debug", "info", "warning", "error")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report a mistake in the arguments, without the password of an address among them."""
        super().error(hide_passwords(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of `arguments` (default: `sys.argv`); return its exit code.

    An error that the user can correct is printed as one line, without a traceback.
    """
    _repair_standard_streams()
    hide_in_all_messages(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    _hide_password(options)
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
        # Errors of files are handled where the files are used. An error that arrives here
        # concerns standard output, or is unexpected and names its file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0  # the program that reads the output has closed it, as `head` does
        name = hide_passwords(str(error.filename or "standard output"))
        sys.stderr.write(f"mask-patrol: {name}: {error.strerror or error}\n")
        return UserError.exit_code
    except KeyboardInterrupt:
        return 130


def _repair_standard_streams() -> None:
    """Open /dev/null for each standard stream that is closed (`>&-`).

    Otherwise a socket or a database could get the file descriptor of standard output.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor: `descriptor`
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # unencodable characters become ?


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="mask-patrol",
        description="Detect people without a mask at an entrance, and publish an alert for each"
        " over MQTT.",
        epilog="examples:\n"
        "  mask-patrol run --watch                         play the bundled clip\n"
        "  mask-patrol run --config door.toml              watch the configured camera\n"
        "  mask-patrol COMMAND --help                      explain a command\n"
        "\n"
        "exit codes:\n"
        "  0  success\n"
        "  1  something failed\n"
        "  2  the command or the configuration is wrong\n"
        "  3  the source has ended, and events still wait for the broker",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mask-patrol {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_run(commands)
    _add_detect(commands)
    _add_check(commands)
    _add_watch(commands)
    add_status(commands)
    add_update(commands)
    add_camera(commands, _host_and_port)
    add_broker(commands)
    add_outputs(commands, _add_common)
    add_screen(commands, _add_common)
    add_bench(commands, _add_common)
    add_dashboard(commands, _add_common, _with_overrides)
    return parser


def _add_common(parser: argparse.ArgumentParser, default_level: str = "warning") -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read the settings from FILE, in TOML (default: the built-in values)",
    )
    parser.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default=default_level,
        help="log messages of this level and above (default: %(default)s)",
    )
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default="auto",
        help="log as text, as text with the priorities of systemd's journal, or as one JSON"
        " object per line; auto is journal when the journal reads the log, else text (default:"
        " %(default)s)",
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="read frames from SOURCE: picamera2, /dev/video0, rtsp://…, http://…, a video file,"
        " a folder of pictures, or `demo`, the bundled clip. Other users can see a password in the"
        " address until the program has started; camera.source_file or MASK_PATROL_CAMERA_SOURCE"
        " hides it (default: camera.source of the settings)",
    )
    parser.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help="use this MQTT broker (default: mqtt.host of the settings; if that is empty, an"
        " embedded broker on this machine)",
    )


def _add_run(commands: Commands) -> None:
    parser = add_command(
        commands,
        "run",
        help="watch a source and publish alerts",
        description="Watch a source, and publish an event over MQTT when a person without a mask"
        " comes into view, and when the person has put a mask on or left. A file or folder ends by"
        " itself; a camera or stream is watched until Ctrl-C or SIGTERM. SIGHUP reloads the"
        " settings.",
        examples=[
            "mask-patrol run --watch",
            "mask-patrol run --source /dev/video0 --broker 192.168.1.5",
            "mask-patrol run --config door.toml --log-format json",
            "mask-patrol run --source clip.mp4 --pace fast --no-mqtt --events events.jsonl",
        ],
    )
    _add_common(parser, default_level="info")
    _add_source(parser)
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="append each event to FILE, one JSON object per line (default: no file)",
    )
    parser.add_argument(
        "--no-mqtt",
        action="store_true",
        help="use no broker and no outbox; `seq` then counts from 1 (default: publish)",
    )
    parser.add_argument(
        "--pace",
        choices=("realtime", "fast"),
        default="realtime",
        help="play a file or folder at its own speed, or as fast as possible without dropping"
        " frames, with the recording's own time; a live source is not affected (default:"
        " %(default)s)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="show the alerts as a subscriber receives them, and at the end the duration of each"
        " stage and a summary (default: log only)",
    )
    parser.set_defaults(do=_run)


def _add_detect(commands: Commands) -> None:
    parser = add_command(
        commands,
        "detect",
        help="find and classify the faces in pictures",
        description="Find the faces in each picture, and print for each face whether it wears a"
        " mask, or that the model is unsure. With --config, each picture is first turned as"
        " camera.rotate and camera.mirror say, like those of the camera. Exit code 1 when a picture"
        " cannot be read; the others are processed nevertheless. HEIC and AVIF, the formats of"
        " telephones, need pip install '.[heic]' in a clone of the repository.",
        examples=[
            "mask-patrol detect photo.jpg",
            "mask-patrol detect --json --out annotated/ photos/",
        ],
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="a picture, such as a JPEG or PNG, or a folder of pictures",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per picture and line (default: text)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write a copy of each picture, with the faces marked, to DIR (default: no copies)",
    )
    parser.add_argument(
        "--crop",
        action="store_true",
        help="classify each picture as one face that is already cut out (default: find the faces)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="classify with this model, a .tflite file with a model card (default:"
        " classifier.model of the settings; if that is empty, the shipped model)",
    )
    _add_common(parser)
    parser.set_defaults(do=_detect)


def _add_check(commands: Commands) -> None:
    parser = add_command(
        commands,
        "check",
        help="test every part and report what is wrong",
        description="Test every part by using it, and print a line for each: the configuration, the"
        " model, an inference, the cascade, a frame from the source, the outbox, a message to the"
        " broker and back, and the outputs. Exit code 0 only if all of them work.",
        examples=[
            "mask-patrol check --config door.toml",
            "mask-patrol check --source /dev/video0 --broker 192.168.1.5",
        ],
    )
    _add_common(parser)
    _add_source(parser)
    parser.set_defaults(do=_check)


def _add_watch(commands: Commands) -> None:
    parser = add_command(
        commands,
        "watch",
        help="show the alerts of all devices",
        description="Subscribe to the events of all devices at a broker, and show each as a line,"
        " until Ctrl-C.",
        examples=[
            "mask-patrol watch --broker 192.168.1.5",
        ],
    )
    _add_common(parser)
    parser.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help="use this MQTT broker (default: mqtt.host of the settings; if that is empty,"
        f" {DEFAULT_BROKER_HOST})",
    )
    parser.set_defaults(do=_watch)


# Each of the following functions imports what its command needs, so that short commands start
# fast.


@private_files()
def _run(options: argparse.Namespace) -> int:
    from edge.daemon.camera_file import CameraFile
    from edge.daemon.run import RunOptions, run

    if options.no_mqtt and (options.watch or options.broker is not None):
        raise UsageError("--no-mqtt cannot be combined with --watch or --broker")

    camera_file = CameraFile.in_state_directory(options.config)

    def load() -> Settings:
        return _with_overrides(camera_file.load(), options)

    fast = options.pace == "fast"
    return run(
        load(),
        RunOptions(load, camera_file, options.events, not options.no_mqtt, fast, options.watch),
    )


def _detect(options: argparse.Namespace) -> int:
    from edge.cli.detect import DetectOptions, detect

    settings = load_settings(options.config)
    if options.model:
        settings = change(settings, classifier={"model": str(options.model)})
    return detect(settings, DetectOptions(options.images, options.json, options.out, options.crop))


@private_files()
def _check(options: argparse.Namespace) -> int:
    from edge.cli.check import run_checks

    all_ok = True
    for result in run_checks(options.config, lambda s: _with_overrides(s, options)):
        all_ok = all_ok and result.ok
        for number, line in enumerate(hide_passwords(result.text).splitlines()):
            head = f"{'ok' if result.ok else 'FAIL':<5} {result.part:<14}"
            sys.stdout.write(f"{head if number == 0 else ' ' * len(head)} {line}\n")
        sys.stdout.flush()
    return 0 if all_ok else UserError.exit_code


def _watch(options: argparse.Namespace) -> int:
    from edge.common.terminal import Terminal
    from edge.mqtt.alert_subscriber import AlertSubscriber
    from edge.mqtt.broker import Broker

    settings = _with_overrides(load_settings(options.config), options)
    mqtt = change(settings, mqtt={"host": settings.mqtt.host or DEFAULT_BROKER_HOST}).mqtt
    terminal = Terminal()
    subscriber = AlertSubscriber(Broker.from_settings(mqtt), mqtt.base, terminal.show)
    subscriber.start()
    terminal.show(f"Watching {mqtt.base}/+/events at {mqtt.host}. Ctrl-C stops.")
    try:
        subscriber.watch()
    except KeyboardInterrupt:
        return 0
    finally:
        subscriber.stop()


def _with_overrides(settings: Settings, options: argparse.Namespace) -> Settings:
    """Return `settings` with the values of the options --source and --broker, where given.

    For a command with --source, the address may also be kept outside of the settings.
    """
    if hasattr(options, "source"):
        from edge.camera.private_source import with_private_source, with_source

        if options.source is not None:
            settings = with_source(settings, options.source)
        else:
            settings = with_private_source(settings, os.environ)
    if options.broker is not None:
        host, port = _host_and_port(options.broker)
        if port is None:
            port = settings.mqtt.port
        settings = change(settings, mqtt={"host": host, "port": port})
    return settings


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port` or `[IPv6]:port`; raises UsageError for anything else."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(?::([0-9]{1,9}))?", text)
    if match is None:
        raise UsageError(f"--broker must be HOST, HOST:PORT or [IPV6]:PORT, not {text!r}")
    host, port = match.groups()
    return host.strip("[]"), int(port) if port else None


def _hide_password(options: argparse.Namespace) -> None:
    """Hide the password in --source from `ps`, where every user could read it."""
    source = getattr(options, "source", None) or ""
    if ":" not in source and "=" not in source:
        return
    from edge.common.process_arguments import replace_in_arguments

    if (hidden := without_password(source)) != source:
        replace_in_arguments(source, hidden)


def _set_up_logging(options: argparse.Namespace) -> None:
    # OpenCV writes to standard error without `logging`. The errors that matter are reported by this
    # program. OpenCV reads this variable when it is first used.
    if options.log_level != "debug":
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    set_up(options.log_level, options.log_format)


if __name__ == "__main__":
    sys.exit(main())

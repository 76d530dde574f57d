"""What the Camera page saves: a file of the daemon, whose values replace those of the settings.

The installed service may read its settings, but not write them. So the daemon writes `camera.toml`
into its state directory, with only those values that differ from the settings file.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.common.errors import UsageError, UserError
from edge.common.paths import kind_of, state_directory
from edge.common.sync_folder import sync_folder
from edge.config.settings import (
    Fraction,
    Point,
    Rectangle,
    Rotation,
    Settings,
    change,
    derive_again,
    load_settings,
)
from edge.config.toml_schema import Section, load_toml
from edge.tracking.zone import Zone

log = logging.getLogger(__name__)

NAME = "camera.toml"
#: How much can be saved: the check of a zone takes time in proportion to the square of its corners.
#: If the present settings have more, as many as these.
MAX_CORNERS, MAX_EXCLUDED = 50, 500
HEADER = """\
# Saved on the Camera page of the dashboard. These values replace those of the settings file.
# To return to the settings file, delete this file, then: sudo systemctl reload mask-patrol
"""


class Drawing(Section, frozen=True, kw_only=True):
    """The settings that the Camera page changes: how the picture is turned and, as fractions of the
    turned picture, the corners of the zone (x, y), the excluded rectangles (x, y, width, height),
    and the width of the smallest face.

    Where a value is None, the present one stays.
    """

    zone: tuple[Point, ...]
    excluded: tuple[Rectangle, ...] | None = None
    min_face: Fraction | None = None
    rotate: Rotation | None = None
    mirror: bool | None = None

    @classmethod
    def of(cls, settings: Settings) -> Drawing:
        """Return the drawing of `settings`."""
        camera = settings.camera
        return cls(
            zone=camera.zone,
            excluded=camera.excluded,
            min_face=settings.detector.min_face,
            rotate=camera.rotate,
            mirror=camera.mirror,
        )

    def completed(self, present: Drawing) -> Drawing:
        """Return this drawing with the values of `present` where it has None."""
        given = {k: v for k, v in msgspec.structs.asdict(self).items() if v is not None}
        return msgspec.structs.replace(present, **given)


class _Camera(Section, frozen=True, kw_only=True):
    zone: tuple[Point, ...] | None = None
    excluded: tuple[Rectangle, ...] | None = None
    rotate: Rotation | None = None
    mirror: bool | None = None


class _Detector(Section, frozen=True, kw_only=True):
    min_face: Fraction | None = None


class _DrawnAt(Section, frozen=True, kw_only=True):
    """How the picture was turned in which the zone and the excluded areas were drawn."""

    rotate: Rotation = 0
    mirror: bool = False


class _Content(Section, frozen=True, kw_only=True):
    """The content of the file. It holds for one settings file, empty for none."""

    settings_file: str
    camera: _Camera = _Camera()
    detector: _Detector = _Detector()
    #: None in a file of an earlier version, or without anything that was drawn.
    drawn_at: _DrawnAt | None = None

    def values(self) -> Iterator[tuple[str, str, object]]:
        """Yield section, name and value of each setting."""
        for section in ("camera", "detector"):
            for name, value in msgspec.structs.asdict(getattr(self, section)).items():
                if value is not None:
                    yield section, name, value


@dataclass(frozen=True)
class LoadedSettings:
    """The settings with the values of the Camera page.

    `notes` say which values these are, and `warnings` what does not fit. `problem` is empty, or
    says why there are none: the settings are then those of the settings file alone.
    """

    settings: Settings
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: str = ""


class CameraFile:
    """The file of one daemon, and the settings file to which it belongs."""

    def __init__(self, path: Path, settings_file: Path | None) -> None:
        """Use the file `path`, which need not exist, for the settings in `settings_file`."""
        self.path = path
        self._settings_file = settings_file

    @classmethod
    def in_state_directory(cls, settings_file: Path | None) -> CameraFile:
        """Return the file in the daemon's state directory."""
        return cls(state_directory() / NAME, settings_file)

    def read(self) -> LoadedSettings:
        """Read both files; raises UsageError if the settings file is invalid."""
        settings = load_settings(self._settings_file)
        try:
            return self._merged(settings)
        except UserError as error:
            problem = f"{error}\ndelete {self.path}, or save on the Camera page again"
            return LoadedSettings(settings, problem=problem)

    def load(self) -> Settings:
        """Return the settings, and log where those of the Camera page come from.

        A file that is unusable is logged and ignored: the daemon must watch the door nevertheless.
        Raises UsageError if the settings file is invalid.
        """
        loaded = self.read()
        for note in loaded.notes:
            log.info("%s", note)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        if loaded.problem:
            log.warning("the settings of the Camera page are not used: %s", loaded.problem)
        return loaded.settings

    def save(self, drawing: Drawing) -> Settings:
        """Save the drawing; return the settings that the next `load` returns.

        Raises UserError, and changes nothing, when the settings file or a value is invalid, or
        when the file cannot be written.
        """
        settings = load_settings(self._settings_file)
        present = self.read().settings
        complete = drawing.completed(Drawing.of(present))
        # The smallest face that follows from a distance depends on how the picture is turned.
        turned = {"rotate": complete.rotate, "mirror": complete.mirror}
        derived = derive_again(change(settings, camera=turned))
        if settings.detector.farthest_m and drawing.min_face is None:
            complete = msgspec.structs.replace(complete, min_face=derived.detector.min_face)
        _require_valid(complete, present, derived)
        reference = msgspec.structs.replace(
            Drawing.of(settings), min_face=derived.detector.min_face
        )
        content = self._differences(complete, reference)
        values = [f"{section}.{name}" for section, name, _ in content.values()]
        if values:
            self._write(content)
            log.info("the Camera page has saved %s to %s", ", ".join(values), self.path)
        else:
            self._delete()
            log.info("the Camera page has saved the values of the settings file")
        return _with_content(settings, content)

    def _merged(self, settings: Settings) -> LoadedSettings:
        if kind_of(self.path) == "missing":
            return LoadedSettings(settings)
        content, _ = load_toml(self.path, _Content, "the settings of the Camera page")
        if content.settings_file != self._settings_name():
            owner = content.settings_file or "the default settings"
            note = f"{self.path} was saved on the Camera page for {owner}, and is not used"
            return LoadedSettings(settings, (note,))
        notes = []
        if settings.detector.farthest_m and content.detector.min_face is not None:
            notes.append(
                f"`detector.min_face` in {self.path} is not used: `detector.farthest_m` of"
                " the settings determines it"
            )
            content = msgspec.structs.replace(content, detector=_Detector())
        if names := [f"`{section}.{name}`" for section, name, _ in content.values()]:
            notes.insert(
                0,
                f"{', '.join(names)}: from {self.path}, which the Camera page has saved, and"
                f" not from {self._settings_name() or 'the default settings'}",
            )
        merged = _with_content(settings, content)
        Zone.of(merged.camera)
        return LoadedSettings(merged, tuple(notes), self._turn_warnings(content, merged))

    def _turn_warnings(self, content: _Content, merged: Settings) -> tuple[str, ...]:
        """Return a warning if the picture is turned in another way than when it was drawn on."""
        drawn_at = content.drawn_at
        if drawn_at is None or drawn_at == _DrawnAt(
            rotate=merged.camera.rotate, mirror=merged.camera.mirror
        ):
            return ()
        return (
            f"the zone and the excluded areas in {self.path} were drawn with"
            f" `camera.rotate = {drawn_at.rotate}` and"
            f" `camera.mirror = {json.dumps(drawn_at.mirror)}`, and are not turned with the"
            " picture: draw them again on the Camera page",
        )

    def _differences(self, drawing: Drawing, settings: Drawing) -> _Content:
        camera = {
            name: value
            for name in ("zone", "excluded", "rotate", "mirror")
            if (value := getattr(drawing, name)) != getattr(settings, name)
        }
        min_face = drawing.min_face if drawing.min_face != settings.min_face else None
        drawn_at = None
        if camera.get("zone") or camera.get("excluded"):
            drawn_at = _DrawnAt(rotate=drawing.rotate or 0, mirror=bool(drawing.mirror))
        return _Content(
            settings_file=self._settings_name(),
            drawn_at=drawn_at,
            camera=_Camera(**camera),
            detector=_Detector(min_face=min_face),
        )

    def _settings_name(self) -> str:
        """Return the absolute path of the settings file as valid text, empty without a file."""
        if self._settings_file is None:
            return ""
        return os.fsencode(self._settings_file.resolve()).decode(errors="backslashreplace")

    def _write(self, content: _Content) -> None:
        """Replace the file atomically; raises UserError."""
        temporary: Path | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(".new", f".{NAME}.", self.path.parent)
            temporary = Path(name)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_as_toml(content))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            if temporary is not None:
                with suppress(OSError):
                    temporary.unlink()
            lines = ", ".join(
                f"{name} = {json.dumps(value)} under [{section}]"
                for section, name, value in content.values()
            )
            raise UserError(
                f"cannot write {self.path}: {error.strerror}; write into the settings file: {lines}"
            ) from None

    def _delete(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot delete {self.path}: {error.strerror}") from None


def _require_valid(drawing: Drawing, present: Settings, settings: Settings) -> None:
    """Raise UserError if the drawing is invalid, or far larger than that of `present`."""
    excluded = drawing.excluded or ()
    for what, count, limit, now in (
        ("corners of the zone", len(drawing.zone), MAX_CORNERS, len(present.camera.zone)),
        ("excluded areas", len(excluded), MAX_EXCLUDED, len(present.camera.excluded)),
    ):
        if count > max(limit, now):
            raise UserError(f"there are {count} {what}; at most {max(limit, now)} can be saved")
    Zone(drawing.zone, excluded)
    if settings.detector.farthest_m and drawing.min_face != settings.detector.min_face:
        raise UsageError(
            "the smallest face is derived from `detector.farthest_m` of the settings file: change"
            " or remove that setting"
        )


def _with_content(settings: Settings, content: _Content) -> Settings:
    changes: dict[str, dict[str, object]] = {"camera": {}, "detector": {}}
    for section, name, value in content.values():
        changes[section][name] = value
    return derive_again(change(settings, **changes))


def _as_toml(content: _Content) -> str:
    """Return the text of the file: JSON strings, numbers and lists are valid TOML."""
    lines = [f"settings_file = {json.dumps(content.settings_file, ensure_ascii=False)}"]
    last = ""
    for section, name, value in content.values():
        if section != last:
            lines.append(f"\n[{section}]")
        lines.append(f"{name} = {json.dumps(value)}")
        last = section
    if content.drawn_at is not None:
        lines.append("\n[drawn_at]")
        lines += [
            f"{name} = {json.dumps(v)}"
            for name, v in msgspec.structs.asdict(content.drawn_at).items()
        ]
    return HEADER + "\n".join(lines) + "\n"

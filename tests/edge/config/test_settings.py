from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edge
from edge.common.errors import UsageError
from edge.config.camera_controls import CameraControls
from edge.config.output_settings import OutputSettings
from edge.config.settings import Settings, change, default_device, load_settings
from edge.config.toml_schema import Section, load_toml
from systemd.sdcard.site import SiteFile

EXAMPLE = Path(edge.__file__).parent / "config.example.toml"


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path)


def test_defaults_apply_without_a_file() -> None:
    assert load_settings() == change(Settings(), device=default_device())


def test_example_contains_every_setting_with_its_default() -> None:
    raw = tomllib.loads(EXAMPLE.read_text())
    assert msgspec.convert(raw, Settings) == Settings()
    optional = {
        "port",
        "alert_threshold",
        "classes",
        "min_score",
    }
    for section in msgspec.structs.fields(Settings):
        if isinstance(section.type, type) and issubclass(section.type, msgspec.Struct):
            names = {field.name for field in msgspec.structs.fields(section.type)}
            assert names - set(raw[section.name]) <= optional
            for name in names & optional:
                assert f"# {name} = " in EXAMPLE.read_text()


def test_example_shows_every_control_of_the_camera() -> None:
    """All of them are commented out, because a control that is set is not the camera's own."""
    shown = EXAMPLE.read_text().partition("[camera.controls]\n")[2].partition("\n[")[0]
    values = [line[2:] for line in shown.splitlines() if re.match(r"# [a-z_]+ = ", line)]
    assert [value.partition(" = ")[0] for value in values] == [
        field.name for field in msgspec.structs.fields(CameraControls)
    ]
    for value in values:
        msgspec.convert(tomllib.loads(value), CameraControls)


def test_example_shows_every_setting_of_an_output() -> None:
    """They are commented out, because there is no output by default."""
    shown = EXAMPLE.read_text().partition("# [[output]]\n")[2].partition("\n\n")[0]
    pin, program = (
        tomllib.loads(re.sub(r"(?m)^# ?", "", text)) for text in shown.split("# [[output]]\n")
    )
    defaults = {field.name: field.default for field in msgspec.structs.fields(OutputSettings)}
    assert pin.keys() | program.keys() == defaults.keys()
    given = pin | program
    for name in defaults.keys() - {"name", "pin", "command"}:
        assert msgspec.json.decode(msgspec.json.encode(defaults[name])) == given[name], name
    outputs = [{name: raw[name] for name in ("name", "pin", "command") if name in raw}
               for raw in (pin, program)]  # fmt: skip
    assert len(change(Settings(), output=outputs).output) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pin = 17", "`output[0]`: `name` is missing"),
        ('name = "a"', "`output[0]`: set `pin` or `command`, one of the two"),
        ('name = "a"\npin = 1\ncommand = ["b"]', "set `pin` or `command`, one of the two"),
        ('name = "a"\npin = "17"', "the number of a GPIO, such as 17, or a name such as"),
        ('name = "a"\npin = 1\noff_s = 2.0', '`off_s` has no effect without `mode = "blink"`'),
        ('name = "a"\npin = 1\nmax_running = 2', "`max_running` has no effect without `command`"),
        ('name = "a"\ncommand = ["b"]\nactive = "low"', "`active` has no effect without `pin`"),
        ('name = "a"\npin = 1\nlabels = ["incorrect_mask"]', "which `events.alert_on` does not"),
        ('name = "a"\npin = 1\n[[output]]\nname = "a"\npin = 2', 'two outputs are called "a"'),
        (
            'name = "a"\npin = 1\n[[output]]\nname = "b"\npin = "GPIO1"',
            'the outputs "a" and "b" have the same pin, GPIO1',
        ),
    ],
)
def test_mistake_in_an_output_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, f"[[output]]\n{text}\n")
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_values_of_the_file_replace_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, 'device = "door1"\n[mqtt]\nhost = "broker.lan"\nport = 8883\n')
    assert (settings.device, settings.mqtt.host, settings.mqtt.port) == (
        "door1",
        "broker.lan",
        8883,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mqtt]\nhots = 'x'\n", "unknown setting `mqtt.hots`; did you mean `mqtt.host`?"),
        ("host = 'x'\n", "unknown setting `host`; did you mean `mqtt.host`?"),
        (
            'device = "a\\n"\n',
            "`device`: expected at most 64 letters from A to Z or a to z, digits and the characters"
            ' . _ -, such as "door-1", but neither "." nor ".."; `title` can be any text',
        ),
        ('device = "Tür 1"\n', "`device`: expected at most 64 letters from A to Z or a to z"),
        ("device = 1\n", "`device`: expected a text in quotation marks: at most 64 letters"),
        ("[cammera]\n", "unknown setting `cammera`; did you mean `camera`?"),
        ("[detector]\nmin_face = 2.0\n", "`detector.min_face`: expected `float` <= 1.0"),
        ("[mqtt]\nport = 'x'\n", "`mqtt.port`: expected `int | null`, got `str`"),
        (
            "[camera.controls]\nexposre_us = 1\n",
            "unknown setting `camera.controls.exposre_us`; the settings of this table are"
            " exposure_us, exposure_ev, gain,",
        ),
        ("[camera.night.controls]\niso = 1\n", "`camera.night.controls.iso`; the settings of this"),
        ("[camera]\ngain = 2.0\n", "`camera.gain`; did you mean `camera.controls.gain`?"),
        (
            "[camera]\nrotate = 45\n",
            "`camera.rotate`: invalid enum value 45; expected 0, 90, 180,",
        ),
        (
            "[detector]\nkind = 'x'\n",
            'invalid enum value \'x\'; expected "both", "learned", "haar"',
        ),
        (
            "[camera.controls]\nwhite_balance = 'warm'\n",
            'invalid enum value \'warm\'; expected "auto", "incandescent", "tungsten",',
        ),
        (
            "[events]\nalert_on = ['x']\n",
            '`events.alert_on[0]`: invalid enum value \'x\'; expected "no_mask", "incorrect_mask"',
        ),
        (
            "[classifier]\nclasses = 4\n",
            "`classifier.classes`: invalid enum value 4; expected 2, 3",
        ),
        (
            "[events]\nalert_on = ['incorrect_mask']\n[classifier]\nclasses = 2\n",
            "`events.alert_on` contains incorrect_mask, which `classifier.classes = 2` excludes:",
        ),
        ("[camera.controls]\ngain = 0.5\n", "`camera.controls.gain`: expected `float` >= 1.0"),
        (
            "[camera.controls]\nautofocus = true\nlens_position = 1.0\n",
            "`camera.controls`: `lens_position` needs `autofocus = false`",
        ),
        (
            "[camera.night]\nstart = '8:30'\n",
            '`camera.night.start`: expected a time of day from 00:00 to 23:59, such as "06:30"',
        ),
        (
            "[camera.night]\nend = '24:00'\n",
            '`camera.night.end`: expected a time of day from 00:00 to 23:59, such as "06:30"',
        ),
        ("[camera.night]\nend = 06:30:00\n", "expected a text in quotation marks: a time of day"),
        ("[camera.night]\nend = 6:30\n", 'write times in quotation marks, such as "06:30"'),
        ("[camera.night]\nstart = '08:30'\n", "`camera.night`: `start` and `end` must be two"),
        (
            "[camera.night.controls]\ngain = 2.0\n",
            "`camera.night`: `controls` need the hours in which they hold",
        ),
        (
            "[camera.night]\nstart = '20:00'\nend = '06:00'\ncontrols.hdr = true\n",
            "`camera.night`: `controls.hdr` cannot change",
        ),
        (
            "[camera.controls]\nlens_position = 1.0\n[camera.night]\nstart = '20:00'\n"
            "end = '06:00'\ncontrols.autofocus = true\n",
            "`camera`: `controls` and `night.controls` together: `lens_position` needs",
        ),
        (
            "[camera.controls]\nlow_light = true\nexposure_us = 1000\n",
            "`camera.controls`: `low_light` and `exposure_us` exclude each other",
        ),
        ("device = '..'\n", "`device`: expected at most 64 letters"),
        ("device = 'a/b'\n", "`device`: expected at most 64 letters"),
        ("camera = 3\n", "`camera`: expected `object`, got `int`"),
        ("[mqtt\n", "is not valid TOML"),
        ("[mqtt]\nport = " + "9" * 5000, "is not valid TOML"),
    ],
)
def test_error_names_the_wrong_setting(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=r"settings\.toml") as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)


def text_rules(section: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that has a regular expression, and a TOML value for it."""
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, Section):
            yield from text_rules(field.type, f"{prefix}{field.name}.")
        elif "pattern=" in repr(field.type):
            value = '"ü\\t /"'
            yield f"{prefix}{field.name}", f"[{value}]" if "tuple" in repr(field.type) else value


@pytest.mark.parametrize(("name", "value"), [*text_rules(Settings), *text_rules(SiteFile)])
def test_rule_of_a_text_is_told_as_a_sentence(tmp_path: Path, name: str, value: str) -> None:
    schema = Settings if name in dict(text_rules(Settings)) else SiteFile
    (tmp_path / "settings.toml").write_text(f"{name} = {value}\n")
    with pytest.raises(UsageError) as caught:
        load_toml(tmp_path / "settings.toml", schema, "the settings")
    message = str(caught.value).partition(f"`{name}")[2]
    assert "expected" in message
    assert "regex" not in message
    assert "\\Z" not in message


def test_error_has_one_line_per_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "[mqtt]\nport = 0\nkeepalive_s = 1\n[camera]\nfps = -1\n")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "host", ["", "broker.lan", "192.168.1.5", "::1", "fe80::1%eth0", "bröker.lan", "my_broker"]
)
def test_host_name_or_address_is_accepted(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, f"[mqtt]\nhost = '{host}'\n").mqtt.host == host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.168.1.5:1883", 'a port: set `host = "192.168.1.5"` and `port = 1883`'),
        ("broker.lan:1884", 'a port: set `host = "broker.lan"` and `port = 1884`'),
        ("[::1]:1883", 'a port: set `host = "::1"` and `port = 1883`'),
        ("[::1]", 'in brackets: set `host = "::1"`'),
        ("mqtt://broker.lan", 'a URL: set `host = "broker.lan"`'),
        ("mqtt://u:hush@b:1/x", 'a URL: set `host = "b"` and `port = 1`'),
        ("mqtts://b:8883", 'a URL: set `host = "b"`, `port = 8883` and `tls = true`'),
        ("mqtt://b:port", "a URL: set it to the name or the address alone"),
        ("broker lan", "not a valid host name"),
        ("broker.lan/mqtt", "not a valid host name"),
        ("broker.lan:", "not a valid host name"),
        ("a..b", "not a valid host name"),
    ],
)
def test_host_with_more_than_a_name_is_rejected(tmp_path: Path, host: str, expected: str) -> None:
    """Looking up such a name fails for ever, like that of a broker that is down."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, f"[mqtt]\nhost = '{host}'\n[camera]\nfps = -1\n")
    host_line, fps_line = sorted(str(caught.value).splitlines(), key=lambda line: "fps" in line)
    assert "`mqtt`: `host` " in host_line
    assert expected in host_line
    assert "hush" not in host_line
    assert "`camera.fps`" in fps_line


def test_change_rejects_a_host_with_a_port() -> None:
    with pytest.raises(UsageError, match=r"`mqtt`: `host` must be .* `port = 1883`"):
        change(Settings(), mqtt={"host": "192.168.1.5:1883"})


@pytest.mark.parametrize("client_id", ["door 1", "döör", "x" * 257])
def test_client_identifier_is_printable_ascii(client_id: str) -> None:
    assert change(Settings(), mqtt={"client_id": "things/door:1"}).mqtt.client_id
    with pytest.raises(UsageError, match=r"`mqtt\.client_id`"):
        change(Settings(), mqtt={"client_id": client_id})


def test_missing_or_binary_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_settings(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_settings(binary)


def test_change_validates_the_new_value() -> None:
    with pytest.raises(UsageError, match=r"mqtt\.port"):
        change(Settings(), mqtt={"port": 70000})


def test_farthest_m_determines_the_search(tmp_path: Path) -> None:
    near = load(tmp_path, '[detector]\nkind = "haar"\nfarthest_m = 1.0\n').detector
    far = load(tmp_path, "[camera]\nview_deg = 102.0\n[detector]\nfarthest_m = 1.5\n").detector
    assert near.min_face > 0.05 > far.min_face
    assert near.width_px < 320 < far.width_px
    consistent = (
        f'[detector]\nkind = "haar"\nfarthest_m = 1.0\nmin_face = {near.min_face}\n'
        f"width_px = {near.width_px}\n"
    )
    assert load(tmp_path, consistent).detector == near


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("farthest_m = 1.0\nmin_face = 0.5", "`detector.min_face` is derived from"),
        ("farthest_m = 1.0\nwidth_px = 999", "`detector.width_px` is derived from"),
        ("farthest_m = 40.0", "faces can be found up to 8.1 m away"),
        ("farthest_m = 0.2", "0.2 m is too near; the minimum is 0.3"),
        ("farthest_m = -1.0", "`detector.farthest_m`"),
    ],
)
def test_impossible_farthest_m_is_rejected(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(tmp_path, f"[detector]\n{text}\n")


def test_turned_picture_is_narrower_for_the_distance(tmp_path: Path) -> None:
    """On its side, the picture is as wide as it was high before."""
    text = "[camera]\nwidth_px = 1280\nheight_px = 720\nrotate = {}\n[detector]\nfarthest_m = 2.0\n"
    upright, turned = (load(tmp_path, text.format(rotate)).detector for rotate in (180, 90))
    assert upright.min_face == load(tmp_path, "[detector]\nfarthest_m = 2.0\n").detector.min_face
    assert turned.min_face == pytest.approx(upright.min_face * 16 / 9, rel=2e-3)
    assert turned.width_px <= upright.width_px

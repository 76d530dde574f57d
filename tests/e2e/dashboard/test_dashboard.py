"""The dashboard in a real browser, with a real daemon and a real broker: every page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as paho
import pytest
from PIL import Image

from edge.common.clock import iso_utc
from edge.common.paths import demo_clip
from edge.dashboard.access.password import Password
from edge.dashboard.picture_check.worker_client import MAX_BYTES
from edge.mqtt.broker import Broker
from tests.support.cli_process import mask_patrol
from tests.support.dashboard.dashboards import Dashboard, Device, chromium, open_live_page
from tests.support.dashboard.events import encoded, start
from tests.support.footage.pictures import frames_without_mask
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.tcp_relay import Relay

#: The EXIF tag of the orientation.
ORIENTATION = 274
#: Stores requests and answers in page variables, because the driver discards such large answers.
LISTEN = """
window.answers = [];
window.sent = [];
const originalFetch = window.fetch;
window.fetch = async (...args) => {
  const answer = await originalFetch(...args);
  window.answers.push(await answer.clone().json());
  window.sent.push(args[1].body);
  return answer;
};
"""
EPISODES = "[...document.querySelectorAll('#alerts li')].map((card) => card.dataset.episode)"


def wait_for_episodes(page: Any, expected: list[str]) -> None:
    """Wait until the page shows exactly these alerts, each once, newest first."""
    page.wait_for_function(
        f"(expected) => JSON.stringify({EPISODES}) === JSON.stringify(expected)", arg=expected
    )


def run_daemon(
    page: Any, tmp_path: Path, mosquitto: Mosquitto, subscriber: TimedSubscriber, runs: int
) -> list[float]:
    """Return how many seconds after its delivery by the broker each alert was shown."""
    config = tmp_path / "door.toml"
    config.write_text('device = "door1"\n')
    for number in range(runs):
        result = mask_patrol(
            tmp_path, "run", "--config", config, "--pace", "fast",
            "--broker", mosquitto.broker.address,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, "")
        count = 2 * (number + 1)
        page.wait_for_function(f"() => Object.keys(window.appeared).length === {count}")
    appeared = page.evaluate("window.appeared")
    arrived = subscriber.arrived_s()
    return [appeared[episode] - at_s for episode, at_s in arrived.items()]


def measure_latencies_s(
    page: Any, tmp_path: Path, server: Mosquitto, dashboard: Dashboard, runs: int
) -> list[float]:
    """Return the latency of each alert in `runs` runs of the daemon, which have two alerts each."""
    open_live_page(page, dashboard.address)
    listener = TimedSubscriber(server.broker)
    latencies_s = run_daemon(page, tmp_path, server, listener, runs)
    listener.close()
    (tmp_path / "latencies.json").write_text(json.dumps(latencies_s))
    assert len(latencies_s) == 2 * runs
    return latencies_s


class TimedSubscriber(Subscriber):
    """Records when the broker delivered the first event of each episode."""

    def __init__(self, broker: Broker) -> None:
        self._first_s: dict[str, float] = {}
        super().__init__(broker, "maskpatrol/+/events")

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        self._first_s.setdefault(json.loads(message.payload)["id"], time.time())
        super()._on_message(client, data, message)

    def arrived_s(self) -> dict[str, float]:
        return dict(self._first_s)


def test_alert_is_on_the_page_within_a_second(
    page: Any, tmp_path: Path, mosquitto: Mosquitto, dashboard: Dashboard
) -> None:
    latencies_s = measure_latencies_s(page, tmp_path, mosquitto, dashboard, 3)
    # Other processes may delay single alerts, so only the soak test checks the maximum latency.
    assert median(latencies_s) < 1.0, latencies_s
    assert page.locator("#alerts li .badge").first.text_content() == "○ Mask put on"
    assert page.locator("#devices .state").text_content() == "offline"
    page.goto(f"{dashboard.address}/history")
    assert page.locator(".stacked tbody tr").count() == 6
    assert page.locator("text=mask put on").count() > 0
    page.goto(f"{dashboard.address}/health/door1")
    assert "offline" in page.locator("main").text_content()


@pytest.mark.soak
def test_every_alert_is_on_the_page_within_a_second(
    page: Any, tmp_path: Path, mosquitto: Mosquitto, dashboard: Dashboard
) -> None:
    latencies_s = measure_latencies_s(page, tmp_path, mosquitto, dashboard, 20)
    assert max(latencies_s) < 1.0, latencies_s


def test_alert_is_acknowledged_and_ends(page: Any, dashboard: Dashboard, device: Device) -> None:
    open_live_page(page, dashboard.address)
    page.wait_for_selector("text=Nobody without a mask")
    body = device.start_alert()
    page.wait_for_selector(".banner.alarm >> text=1 person without a mask")
    assert page.title() == "(1) Live · Mask Patrol"
    page.wait_for_selector("#news:text('New alert: no mask at door1, entrance')", state="attached")
    page.get_by_role("button", name="Acknowledge the alert of door1").click()
    page.wait_for_selector("#alerts li.acknowledged .when:has-text('acknowledged by \u2068Anna')")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector("#alerts li:not(.acknowledged)")
    page.wait_for_selector("#undo", state="hidden")
    page.click("#acknowledge-all")
    page.get_by_role("button", name="Add a note", exact=True).click()
    assert page.locator("#notes option").evaluate_all("all => all.map((one) => one.value)") == [
        "was told",
        "exempt",
    ]
    page.fill("#note", "<b>was told</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("#alerts li .when:has-text('Anna\u2069: \u2068<b>was told</b>')")
    device.end_alert(body)
    page.wait_for_selector("#alerts li .badge:text('Left')")
    page.wait_for_selector(".banner.calm")
    # The acknowledgement was stored; another name is used from now on.
    page.evaluate("localStorage.removeItem('mask_patrol_name')")
    later = page.context.new_page()
    later.goto(dashboard.address)
    later.wait_for_selector("#alerts li.acknowledged .when:has-text('Anna')")
    device.start_alert()
    later.get_by_role("button", name="Acknowledge the alert of door1").click()
    later.get_by_role("button", name="Cancel").click()
    later.wait_for_selector("#name-dialog", state="hidden")
    assert later.locator("#alerts li.acknowledged").count() == 1
    later.click("#acknowledge-all")
    later.fill("#name", "Berta")
    later.keyboard.press("Enter")
    later.wait_for_selector("#alerts li.acknowledged .when:has-text('Berta')")
    later.wait_for_selector("#acknowledges-as:has-text('You acknowledge as Berta.')")
    later.goto(f"{dashboard.address}/history")
    assert later.locator("td.note").all_text_contents()[1].startswith("Anna, ")


def test_alerts_are_searched_and_filtered(page: Any, dashboard: Dashboard, device: Device) -> None:
    open_live_page(page, dashboard.address)
    one, two = device.start_alert(camera="garden"), device.start_alert(camera="street")
    wait_for_episodes(page, [two["id"], one["id"]])
    page.fill("#search", "GARDEN no")
    wait_for_episodes(page, [one["id"]])
    page.fill("#search", "")
    device.end_alert(two)
    page.select_option("#which", "open")
    wait_for_episodes(page, [one["id"]])
    page.select_option("#which", "new")
    page.click("#acknowledge-all")
    wait_for_episodes(page, [])
    assert page.locator("#alerts li").count() == 0


def test_no_alert_is_lost_by_disconnections(page: Any, tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, persistent=True).start()
    dashboard = Dashboard(tmp_path, server.port).start()
    relay = Relay(Broker("127.0.0.1", dashboard.port))
    open_live_page(page, f"http://127.0.0.1:{relay.broker.port}")
    page.evaluate("window.never_reloaded = true")
    device = Device(server.broker)
    expected = [device.start_alert()["id"]]

    server.stop()
    page.wait_for_selector(".banner:has-text('No connection to the broker')")
    server.start()
    device.close()
    device = Device(server.broker, "door2")
    expected.insert(0, device.start_alert()["id"])
    wait_for_episodes(page, expected)

    dashboard.stop()
    expected.insert(0, device.start_alert()["id"])  # queued by the broker
    page.wait_for_selector(".banner:has-text('Reconnecting')")
    dashboard.start()
    expected.insert(0, device.start_alert()["id"])
    wait_for_episodes(page, expected)

    relay.drop_answers()  # the network drops everything without closing the connection
    expected.insert(0, device.start_alert()["id"])
    page.wait_for_selector(".banner:has-text('Reconnecting')")
    relay.cut_connections()
    expected.insert(0, device.start_alert()["id"])
    wait_for_episodes(page, expected)
    assert page.evaluate("window.never_reloaded")
    page.goto(f"{dashboard.address}/history")
    assert page.locator(".stacked tbody tr").count() == len(expected)
    assert page.locator("text=Lost events").count() == 0
    relay.close()
    device.close()
    dashboard.stop()
    server.stop()


def test_broken_connection_is_noticed_after_the_clock_was_set_back(
    page: Any, dashboard: Dashboard
) -> None:
    relay = Relay(Broker("127.0.0.1", dashboard.port))
    open_live_page(page, f"http://127.0.0.1:{relay.broker.port}")
    page.evaluate("() => { const now = Date.now; Date.now = () => now() - 86400000; }")
    relay.drop_answers()
    page.wait_for_selector(".banner:has-text('Reconnecting')")
    relay.close()


def test_killed_dashboard_loses_no_acknowledged_event(page: Any, tmp_path: Path) -> None:
    import signal

    server = Mosquitto(tmp_path, persistent=True).start()
    dashboard = Dashboard(tmp_path, server.port).start()
    open_live_page(page, dashboard.address)
    page.evaluate("cardLimit = MAX_ALERTS")  # without "Show more alerts"
    device = Device(server.broker)
    expected = [device.start_alert()["id"] for _ in range(40)]
    dashboard.stop(signal.SIGKILL)
    expected += [device.start_alert()["id"] for _ in range(10)]
    dashboard.start()
    # Alerts that began in the same millisecond have no defined order.
    page.wait_for_function(
        f"(expected) => JSON.stringify({EPISODES}.sort()) === JSON.stringify(expected)",
        arg=sorted(expected),
    )
    assert page.locator("#alerts li").count() == len(expected) == 50
    device.close()
    dashboard.stop()
    server.stop()


HOSTILE = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"


def test_hostile_messages_are_harmless(page: Any, dashboard: Dashboard, device: Device) -> None:
    open_live_page(page, dashboard.address)
    refused = [
        ("maskpatrol/door1/events", encoded(start(camera=HOSTILE))),
        ("maskpatrol/door1/events", encoded(start(label=HOSTILE))),
        ("maskpatrol/door1/events", encoded({**start(), "id": HOSTILE})),
        ("maskpatrol/door1/events", encoded(start(camera="x" * 1_000_000))),
        ("maskpatrol/door1/events", b"x" * 1_000_000),
        ("maskpatrol/door1/events", b"\xff\xfe\x80" * 100),
        ("maskpatrol/door1/events", b"[" * 15_000),
        ("maskpatrol/door1/events", encoded(start("door2"))),
        ("maskpatrol/door1/events", encoded(start(score="high"))),
        ("maskpatrol/door1/events", encoded(start(seq=[1]))),
        ("maskpatrol/door1/state", encoded({"no_mask": {}, "people": "many"})),
        ("maskpatrol/door1/health", encoded({"camera": "y" * 1_000_000})),
        ("maskpatrol/door1/info", encoded([HOSTILE])),
        ("maskpatrol/door1/status", HOSTILE.encode()),
        (f"maskpatrol/{HOSTILE.replace('/', '')}/status", b"online"),
    ]
    for topic, payload in refused:
        device.publish(topic, payload)
    # Texts that a device can choose freely are shown as plain text, not as HTML.
    device.send("health", encoded({"camera": HOSTILE[:90], "warnings": [HOSTILE]}))
    device.send("info", encoded({"version": HOSTILE[:90], "model": {"name": HOSTILE[:90]}}))
    good = device.start_alert()
    wait_for_episodes(page, [good["id"]])
    page.wait_for_selector(f"#refused:has-text('{len(refused)} messages were refused')")
    for path in ("/health", "/health/door1", "/history", "/"):
        page.goto(dashboard.address + path)
        page.wait_for_selector("main")
        if path.startswith("/health"):
            page.wait_for_selector("text=<script>window.pwned=1</script> >> nth=0")
    assert page.evaluate("window.pwned") is None
    assert "Traceback" not in dashboard.log()


def test_uploaded_picture_is_checked_like_detect(
    page: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    frame = frames_without_mask()[3]
    both = np.hstack([frame, cv2.GaussianBlur(frame, (3, 3), 0)])
    path = tmp_path / "two <b>faces<b>.png"
    cv2.imwrite(str(path), both)
    result = mask_patrol(tmp_path, "detect", "--json", "--out", tmp_path / "out", path)
    expected = json.loads(result.stdout)["faces"]
    assert len(expected) >= 2
    page.add_init_script(LISTEN)
    page.goto(f"{dashboard.address}/check")
    page.set_input_files("#files", str(path))
    page.wait_for_function("() => window.answers.length === 1")
    assert page.evaluate("window.answers[0].faces") == expected
    page.wait_for_selector(f".result:has-text('{len(expected)} faces')")
    lines = page.locator(".result .faces li").all_text_contents()
    assert [line.split()[0] for line in lines] == [str(n + 1) for n in range(len(expected))]
    assert page.get_by_role("link", name="Download two <b>faces<b>-checked.jpg").is_visible()
    with page.expect_download() as download:
        page.get_by_text("Download").click()
    saved = cv2.imread(str(download.value.path()))
    expected_picture = cv2.imread(str(tmp_path / "out" / path.name))
    assert saved.shape == expected_picture.shape
    assert (
        float(np.abs(saved.astype(int) - expected_picture.astype(int)).mean()) < 3.0
    )  # JPEG artefacts
    assert not [p for p in dashboard.state.iterdir() if p.suffix in (".png", ".jpg")]


def test_unusable_pictures_get_clear_messages(
    page: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    jpeg = cv2.imencode(".jpg", frames_without_mask()[0])[1].tobytes()
    files = {
        "letter.jpg": (b"%PDF-1.7\n" + b"x" * 999, "letter.jpg is a PDF; supported formats: JPEG"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut.jpg is cut off: its end is missing"),
        "noise.png": (
            b"\x89PNG\r\n\x1a\n" + b"z" * 500 + b"IEND",
            "not a picture that can be read",
        ),
        "empty.jpg": (b"", "empty.jpg is empty"),
        "large.bmp": (b"BM" + bytes(21 * 2**20), "large.bmp is larger than 20 MB"),
    }
    page.goto(f"{dashboard.address}/check")
    for name, (raw, text) in files.items():
        (tmp_path / name).write_bytes(raw)
        page.set_input_files("#files", str(tmp_path / name))
        page.wait_for_selector(f".result:has-text('{name}') .error:has-text(\"{text}\")")
    # After these errors, the page still checks a valid picture.
    (tmp_path / "good.jpg").write_bytes(jpeg)
    page.set_input_files("#files", str(tmp_path / "good.jpg"))
    page.wait_for_selector(".result:has-text('good.jpg'):has-text('1 face')")
    assert page.locator(".result .error:visible").count() == len(files)


@pytest.mark.parametrize(
    ("size_px", "orientation"),
    [((6000, 4000), 6), ((12000, 9000), 1)],
    ids=["24 megapixels, turned", "108 megapixels"],
)
def test_picture_of_a_telephone_is_scaled_by_the_browser(
    page: Any, dashboard: Dashboard, tmp_path: Path, size_px: tuple[int, int], orientation: int
) -> None:
    frame = Image.fromarray(frames_without_mask()[0][:, :, ::-1])
    if orientation == 6:  # the camera was held upright: the stored picture lies on its side
        frame = frame.crop((130, 0, 450, 480)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    frame.resize(size_px).save(tmp_path / "phone.jpg", exif=exif)
    page.add_init_script(LISTEN)
    page.goto(f"{dashboard.address}/check")
    page.set_input_files("#files", str(tmp_path / "phone.jpg"))
    page.wait_for_selector(".result:has-text('1 face; scaled down from')", timeout=120_000)
    answer = page.evaluate("window.answers[0]")
    assert 15_900_000 < answer["width"] * answer["height"] <= 16_000_000
    assert (answer["width"] > answer["height"]) == (orientation == 1)
    assert [face["label"] for face in answer["faces"]] == ["no_mask"]


def test_large_file_and_other_formats_are_converted_by_the_browser(
    page: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2900, 2900, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large.bmp"), noise)
    assert (tmp_path / "large.bmp").stat().st_size > MAX_BYTES
    Image.fromarray(frames_without_mask()[0][:, :, ::-1]).save(tmp_path / "face.gif")
    page.goto(f"{dashboard.address}/check")
    for name, text in (("large.bmp", "No face was found"), ("face.gif", "1 face")):
        page.set_input_files("#files", str(tmp_path / name))
        page.wait_for_selector(f".result:has-text('{name}'):has-text('{text}')", timeout=60_000)
    # 0.025 of the picture's width: the smallest face of `STILL_DEFAULTS`
    page.wait_for_selector(".result:has-text('large.bmp'):has-text('a width of 72 pixels')")
    # A single face has no number, neither in the list nor in the picture.
    page.wait_for_selector(".result:has-text('face.gif') .faces li >> text=/^no mask/")


def write_webcam(path: Path) -> Path:
    """Write the first bare face of the demo as a file that Chromium plays as its webcam (MJPEG)."""
    capture = cv2.VideoCapture(str(demo_clip()))
    capture.set(cv2.CAP_PROP_POS_MSEC, 4000)
    with path.open("wb") as file:
        for _ in range(20):
            file.write(cv2.imencode(".jpg", capture.read()[1])[1].tobytes())
    return path


def measure_frame_rate(page: Any) -> float:
    """Return the frames per second over the next twelve frames."""
    count = "Number(overlay.dataset.frames)"
    began = page.evaluate(f"() => [{count}, performance.now()]")
    page.wait_for_function(f"(first) => {count} >= first + 12", arg=began[0])
    ended = page.evaluate(f"() => [{count}, performance.now()]")
    return 1000.0 * (ended[0] - began[0]) / (ended[1] - began[1])


def test_webcam_is_checked_five_times_a_second(
    driver: Any, dashboard: Dashboard, tmp_path: Path
) -> None:
    clip = write_webcam(tmp_path / "webcam.mjpeg")
    with chromium(
        driver, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    ) as browser:  # fmt: skip
        page = browser.new_context(permissions=["camera"]).new_page()
        page.add_init_script(LISTEN)
        page.goto(f"{dashboard.address}/check")
        page.click("#webcam")
        page.wait_for_function("() => Number(overlay.dataset.frames) >= 10")
        rates = [measure_frame_rate(page)]
        while rates[-1] < 5.0 and len(rates) < 10:  # other processes may slow the page down
            rates.append(measure_frame_rate(page))
        assert page.evaluate("JSON.parse(overlay.dataset.faces)") == ["no_mask"]
        page.wait_for_selector("#webcam-faces li .no_mask")
        page.click("#webcam")
        page.wait_for_selector("#stage", state="hidden")
        frame = bytes(page.evaluate("async () => [...await window.sent[12].bytes()]"))
        faces = page.evaluate("window.answers[12].faces")
        (tmp_path / "rate.txt").write_text(f"{rates}\n")
        assert max(rates) >= 5.0
    (tmp_path / "frame.jpg").write_bytes(frame)
    result = mask_patrol(tmp_path, "detect", "--json", tmp_path / "frame.jpg")
    assert json.loads(result.stdout)["faces"] == faces
    assert len(faces) == 1


def test_history_filters_and_csv(page: Any, dashboard: Dashboard, device: Device) -> None:
    first = device.start_alert()
    device.end_alert(first)
    old = device.start_alert(label="incorrect_mask", time=iso_utc(time.time() - 20 * 86_400))
    open_live_page(page, dashboard.address)
    wait_for_episodes(page, [first["id"], old["id"]])
    page.goto(f"{dashboard.address}/history")
    page.wait_for_selector(".stacked tbody tr:has-text('left')")
    assert page.locator(".stacked tbody tr").count() == 1
    page.select_option("#span", "30")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector(".stacked tbody tr:has-text('mask worn incorrectly')")
    assert page.locator(".stacked tbody tr").count() == 2
    label = page.locator("svg.chart").first.get_attribute("aria-label")
    assert label.startswith("Alerts per day: 2 in total")
    page.select_option("#label", "incorrect_mask")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector(".stacked tbody tr:has-text('ongoing')")
    # The file has what the form says now, although the page shows another filter. A date that is
    # picked selects the period, and choosing a period clears the dates.
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 20 * 86_400))
    page.select_option("#label", "")
    page.fill("#from", day)
    page.fill("#to", day)
    assert page.input_value("#span") == "dates"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("device,camera,label,score,started")
    assert lines[1].startswith("door1,entrance,incorrect_mask,0.93,")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector("svg.chart[aria-label^='Alerts per hour: 1 in total']")
    assert (page.input_value("#from"), page.input_value("#to")) == (day, day)
    page.wait_for_load_state()
    page.select_option("#span", "7")
    assert (page.input_value("#from"), page.input_value("#to")) == ("", "")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector(".stacked tbody tr:has-text('left')")


def test_login_and_logout_apply_to_open_pages(
    page: Any, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port, needs_password=True)
    Password(dashboard.state / "dashboard-password").set("correct horse battery")
    dashboard.start()
    page.goto(f"{dashboard.address}/history")
    page.fill("#password", "wrong horse battery")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]:has-text('Wrong password.')")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('History')")
    open_live_page(page, dashboard.address)
    cookies = page.context.cookies()
    assert {c["name"]: c["httpOnly"] for c in cookies}["mask_patrol_session"]
    other = page.context.new_page()
    other.goto(f"{dashboard.address}/history")
    other.get_by_role("button", name="Log out").click()
    other.wait_for_selector("#password")
    page.wait_for_selector("#password", timeout=10_000)  # the first page was logged out, too
    other.fill("#password", "correct horse battery")
    other.keyboard.press("Enter")
    other.wait_for_selector("nav")
    other.close()
    open_live_page(page, dashboard.address)
    dashboard.stop()
    (dashboard.state / "dashboard.sqlite3").unlink()  # this deletes all login sessions
    dashboard.start()
    page.wait_for_selector("#password")  # the page opens the log-in page by itself
    dashboard.stop()


def test_every_control_has_an_accessible_name(page: Any, dashboard: Dashboard) -> None:
    """A screen reader needs a name for each control and a text for each picture."""
    for path in ("/", "/history", "/health", "/check", "/camera", "/camera/snapshots"):
        page.goto(dashboard.address + path)
        page.wait_for_selector("main")
        nameless = page.evaluate(
            """[...document.querySelectorAll("button, a, input, select, img, svg[role=img]")]
            .filter((e) => e.checkVisibility() && !(e.labels && e.labels.length)
                && !e.textContent.trim() && !e.getAttribute("aria-label") && e.alt === undefined)
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []
        assert page.locator("h1").count() == 1
        assert page.get_attribute("html", "lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_with_enough_contrast(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto, device: Device, scheme: str
) -> None:
    camera = f'[camera]\npreview = true\npreview_socket = "{tmp_path}/no"\n'
    camera += "[snapshot]\nenabled = true\n"
    dashboard = Dashboard(tmp_path, mosquitto.port, camera).start().wait_connected()
    device.end_alert(device.start_alert())
    device.start_alert()
    device.send("health", encoded({"camera": "stalled", "fps": 0.0, "temperature_c": 75}))
    device.send("state", encoded({"no_mask": True, "people": 1}))
    device.publish("maskpatrol/door2/status", b"offline", retain=True)
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True
    )
    page = context.new_page()
    for path in (
        "/",
        "/history?span=30",
        "/health",
        "/health/door1",
        "/health/door2/forget",
        "/forget-silent",
        "/check",
        "/camera",
        "/camera/snapshots",
        "/setup",
    ):
        page.goto(dashboard.address + path)
        page.wait_for_selector("main")
        if path == "/":
            page.wait_for_selector("#alerts li >> nth=1")
            page.click("#alerts li:last-child button")
            page.fill("#name", "Anna " + 30 * "x")
            assert_fits(page, "the dialog")
            page.keyboard.press("Enter")
            page.wait_for_selector("#alerts li.acknowledged")
            page.wait_for_selector("#undo:has-text('Acknowledged.')")
            page.route("**/acknowledge", lambda route: route.abort())
            page.click("#alerts li:first-child button")
            page.evaluate("scrollTo(0, document.body.scrollHeight)")  # the error must stay visible
            page.wait_for_function(
                "() => document.getElementById('acknowledge-error').getBoundingClientRect().top > 0"
            )
            assert page.evaluate(NAVIGATION_LINES) == 2  # three of the six pages in each
        if path == "/camera":
            page.wait_for_selector("#camera-error:has-text('is it running on this device')")
            # Without the daemon, which saves, nothing can be edited or saved.
            page.wait_for_selector("#saved.error:has-text('The daemon does not answer')")
            for name in ("corners", "undo", "clear", "min-face", "save"):
                assert page.is_disabled(f"#{name}")
            # The message must fit the phone as well.
            page.eval_on_selector("#corners", "editor => { editor.disabled = false; }")
            page.fill("#corners", "0.1 0.1\nleft")
            page.wait_for_selector("#corners-error:text('Line 2: not a corner')")
        if path == "/setup":
            fill_and_send(page, code="AAAA-BBBB-CCCC", password="x" * 10, again="x" * 10)
        assert_fits(page, path)
    Password(dashboard.state / "dashboard-password").set("correct horse battery")
    page.goto(f"{dashboard.address}/login")
    fill_and_send(page, password="wrong horse battery")
    assert_fits(page, "/login")
    context.close()
    dashboard.stop()


def fill_and_send(page: Any, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")


def assert_fits(page: Any, path: str) -> None:
    """Assert that nothing on the page is cut off, too faint, or wider than screen or card."""
    page.wait_for_load_state()
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, (path, wide)
    assert page.evaluate(CUT_OFF) == [], path
    assert page.evaluate(OVERFLOWING) == [], path
    assert page.evaluate(CONTRASTS) == [], path


NAVIGATION_LINES = """
new Set([...document.querySelectorAll("nav a")].map((a) => a.getBoundingClientRect().top)).size
"""
#: Returns the texts that extend beyond the left or right edge of their chart.
CUT_OFF = """
[...document.querySelectorAll("svg.chart text")].filter((text) => {
  const own = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
  return own.left < all.left - 0.5 || own.right > all.right + 0.5;
}).map((text) => text.textContent)
"""


#: Returns the tables that are wider than their card and cannot be scrolled.
OVERFLOWING = """
[...document.querySelectorAll("table")].filter((table) => !table.closest(".scroll") &&
  table.getBoundingClientRect().right > table.parentElement.getBoundingClientRect().right + 0.5,
).map((table) => table.textContent)
"""
#: Returns the texts that have less contrast with their background than the minimum of WCAG: 4.5, or
#: 3 for large texts.
CONTRASTS = """
(() => {
  const rgb = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("main [placeholder]")) {
    const { color, opacity } = getComputedStyle(e, "::placeholder");
    const [a, b] = [light(rgb(color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const isEnough = ratio >= 4.5 && opacity >= 1;
    if (e.checkVisibility() && !isEnough) poor.push(`${ratio.toFixed(2)} ${e.placeholder}`);
  }
  for (const e of document.querySelectorAll("main *, header *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest("svg, .unseen, select, noscript")) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    for (let p = e; p; p = p.parentElement) {
      if (getComputedStyle(p).opacity < 1) poor.push(`faded ${e.textContent.trim()}`);
    }
    const [a, b] = [light(rgb(style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const enough = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < enough) poor.push(`${ratio.toFixed(2)} ${e.className} ${e.textContent.trim()}`);
  }
  return poor;
})()
"""

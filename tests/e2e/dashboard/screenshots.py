"""Take a screenshot of every page in every look, to see what no test can judge.

`python -m tests.e2e.dashboard.screenshots FOLDER` needs mosquitto and Chromium, and takes some
minutes. It writes a file for each page, number of devices, width and colour scheme into FOLDER,
such as `live-505-390-dark.png`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.dashboard.dashboards import chromium, playwright
from tests.support.dashboard.every_page import DEVICE_COUNTS, LOOKS, page_cases, site
from tests.support.mqtt.brokers import Mosquitto

ALERTS = 5_000
#: A longer page is cut off.
MAX_HEIGHT_PX = 8_000


def take_screenshots(browser: Any, folder: Path, devices: int, only: Sequence[str]) -> None:
    """Write the screenshots of a site with this many devices; `only` names pages, or is empty."""
    with tempfile.TemporaryDirectory() as temporary:
        server = Mosquitto(Path(temporary)).start()
        with site(Path(temporary), server, devices, ALERTS) as (dashboard, simulated):
            page = browser.new_page()
            for case in page_cases(dashboard, devices):
                if only and case.name not in only:
                    continue
                simulated.publish_states()
                for look in LOOKS:
                    look.apply(page)
                    case.open(page, dashboard.address)
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size(
                        {"width": look.width, "height": min(height, MAX_HEIGHT_PX)}
                    )
                    name = f"{case.name}-{devices}-{look.width}-{look.scheme}.png"
                    page.screenshot(path=str(folder / name))
            page.close()
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the pictures")
    parser.add_argument(
        "--devices", type=int, nargs="*", default=DEVICE_COUNTS, help="numbers of devices"
    )
    parser.add_argument("--only", nargs="*", default=(), help="names of pages (default: all)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with playwright() as driver, chromium(driver) as browser:
        for devices in options.devices:
            take_screenshots(browser, options.folder, devices, options.only)


if __name__ == "__main__":
    main()

"""The screen at the door on the display of this device: its address, and the page to start with."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from edge.common.errors import UserError
from edge.config.door_screen import ink_on
from edge.config.settings import Settings

#: A path of the dashboard that answers everybody, so that a page in a file notices that it runs.
ALIVE_PATH = "/alive"
#: The hosts to listen on at which a browser on this machine reaches the dashboard by 127.0.0.1.
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "0.0.0.0", "::")
#: The page needs no other file. `no-cors` makes the browser ask a dashboard of another origin.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mask Patrol</title>
<style>
  body {{ display: grid; place-content: center; height: 100vh; margin: 0; cursor: none;
    background: {background}; color: {ink}; text-align: center; }}
  h1 {{ font: 700 8vmin/1.4 system-ui, sans-serif; margin: 0; }}
  p {{ font: 3vmin system-ui, sans-serif; }}
</style>
{texts}
<p>waiting for {host}</p>
<script>
  const address = {address};
  async function open() {{
    try {{
      await fetch(new URL({alive}, address), {{ mode: "no-cors", cache: "no-store" }});
      location.replace(address);
    }} catch {{ setTimeout(open, 2000); }}
  }}
  open();
</script>
"""


def screen_address(settings: Settings) -> str:
    """Return the address that a browser on this device must open.

    Raises UserError if it cannot be the dashboard on this device, and no other one is set.
    """
    wanted = settings.dashboard
    if settings.door_screen.address:
        return settings.door_screen.address
    if wanted.cert_file or wanted.host not in LOOPBACK_HOSTS:
        reason = (
            "its certificate is not for 127.0.0.1"
            if wanted.cert_file
            else f"it listens on {wanted.host} only"
        )
        raise UserError(
            f"the screen cannot open the dashboard at 127.0.0.1: {reason}; make a link for the"
            " screen on the dashboard's page of the device, and set `door_screen.address` to it"
        )
    return f"http://127.0.0.1:{wanted.port}/door/{settings.device}"


def start_page(settings: Settings) -> str:
    """Return a page that opens the screen as soon as the dashboard answers.

    Until then it says that the door is not watched. Raises UserError.
    """
    address, screen = screen_address(settings), settings.door_screen
    texts = "\n".join(
        f'<h1 lang="{html.escape(language)}" dir="auto">'
        f"{html.escape(screen.texts_in(language).off)}</h1>"
        for language in screen.languages
    )
    return PAGE.format(
        background=screen.colours.off,
        ink=ink_on(screen.colours.off),
        texts=texts,
        host=html.escape(urlsplit(address).netloc),  # without the token
        # `<` could end the script.
        address=json.dumps(address).replace("<", "\\u003c"),
        alive=json.dumps(ALIVE_PATH),
    )


def write_page(page: str, path: Path) -> None:
    """Write the page into a new file that replaces `path`; raises UserError.

    A link that somebody has put there is replaced and not followed.
    """
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)  # whatever the umask is: another account reads it
            file.write(page)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None

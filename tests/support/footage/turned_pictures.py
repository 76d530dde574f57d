"""Pictures whose file states that they must be turned or mirrored, in several formats."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image, ImageOps

from edge.common.arrays import Pixels

#: The EXIF and TIFF tag of the orientation.
ORIENTATION = 274
#: A HEIC file, 62x46 pixels that must be turned to 46x62, white in the upper left quarter. It
#: was encoded with pillow-heif; the library that decodes it cannot encode.
HEIC = base64.b64decode(
    """
    AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA
    AAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAFUAAgAAAAACQQABAAAAAAAAACQAAAA4aWluZgAAAAAA
    AgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADm
    aXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAq
    QgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQAN
    AAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAD4AAAABAAAALgAAAAH////+AAAAAv///+4AAAACAAAAEHBp
    eGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEA
    AQAAAIFtZGF0AAAAUSgBrwng4dGzKCHpssM/64DlTVXO1ue50/2lihHCDSW6za8HZu07xyOXju3B20b5b5QmzglJLs7f
    VQkfWDPFZH9DXmyl7KejM9FAz//ahbln0gAAAAZFeGlmAABNTQAqAAAACAABARIAAwAAAAEABgAAAAAAAA==
    """
)


def quarters() -> Pixels:
    """Return a landscape picture, (48, 64, 3) uint8 RGB, whose four quarters differ."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32] = 250, 150, 80
    return picture


def encoded(name: str, orientation: int) -> bytes:
    """Return `quarters` in the format that Pillow calls `name`, with an EXIF orientation.

    An orientation of 0 is invalid, and the same as none.
    """
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"tiffinfo": {ORIENTATION: orientation}} if name == "tiff" else {"exif": exif}
    file = io.BytesIO()
    Image.fromarray(quarters()).save(file, name, **options)
    return file.getvalue()


def turned(orientation: int) -> Pixels:
    """Return `quarters` as a viewer shows it, (height, width, 3) uint8 BGR."""
    picture = Image.fromarray(quarters())
    picture.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(picture), np.uint8)[:, :, ::-1]

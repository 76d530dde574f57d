"""The numbers that all networks compute with instead of pixels."""

from __future__ import annotations

#: (pixel - 128) / 128 is exactly the meaning of a uint8 tensor with scale 1/128 and zero point 128.
#: Therefore the conversion drops this layer, and the int8 model takes raw pixels at no cost.
PIXEL_SCALE, PIXEL_OFFSET = 1 / 128, -1.0

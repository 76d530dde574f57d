"use strict";
// The server writes times in the zone of this browser, if it is told which.
{
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const cookie = `mask_patrol_zone=${zone}`;
  if (/^[A-Za-z][A-Za-z0-9_+/-]{0,39}$/.test(zone) && !document.cookie.split("; ").includes(cookie)) {
    document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax`;
  }
}

/** An element with a class and a text; what devices say is only ever text. */
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const LABELS = { no_mask: "no mask", incorrect_mask: "mask worn wrong", mask: "mask" };

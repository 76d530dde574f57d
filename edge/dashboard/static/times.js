"use strict";
// Times as text, in the time zone of this browser, which the server learns from a cookie. Every page
// loads this script, also the log-in page, so that the first page after it has the right zone.
{
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const cookie = `mask_patrol_zone=${zone}`;
  const isStored = () => document.cookie.split("; ").includes(cookie);
  /** Whether a name that this browser may not know is another name of `own`, such as Etc/UTC of UTC. */
  const isSameZone = (name, own) => {
    try { return Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone === own; } catch { return false; }
  };
  if (/^[A-Za-z][A-Za-z0-9_+/-]{0,39}$/.test(zone) && !isStored()) {
    document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax`;
    const shown = document.getElementById("zone");
    if (shown && !isSameZone(shown.textContent, zone) && isStored()) location.reload();
  }
}

/** A time in seconds since the epoch, as `2026-03-01 08:15:03`; the same as `format_time` in display_times.py. */
function formatTime(seconds) {
  const at = new Date(1000 * Math.min(Math.max(seconds, 0), 250000000000));
  const two = (number) => String(number).padStart(2, "0");
  return `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
    + ` ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** A duration such as `2 min 5 s`; the same as `format_duration` in display_times.py. */
function formatDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

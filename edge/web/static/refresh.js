"use strict";
// Puts the newest state of the page in place of the old one; the scroll and the focus stay.
{
  const EVERY_MS = 10000;
  async function refresh() {
    if (document.hidden) return;
    const fresh = document.getElementById("fresh");
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "follow" });
      if (response.redirected) { location.reload(); return; }
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const newest = page.getElementById("fresh");
      if (newest && !fresh.contains(document.activeElement)) fresh.replaceChildren(...newest.childNodes);
    } catch { /* the dashboard is away: what is shown stays until it is back */ }
  }
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}

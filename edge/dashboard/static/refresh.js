"use strict";
// Replaces the content of the page by its newest state; the scroll position and the focus stay.
// When the server cannot be reached, a notice says how old the content is.
{
  const INTERVAL_MS = 10000, TIMEOUT_MS = 8000;
  const notice = make("p", "notice");
  notice.id = "away";
  notice.setAttribute("role", "alert");
  notice.hidden = true;
  document.getElementById("fresh").before(notice);
  let refreshed_ms = Date.now();

  function showNotice(why) {
    const text = `${why}. This page shows the state at ${formatTime(refreshed_ms / 1000)}. Retrying …`;
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = false;
  }

  async function refresh() {
    if (document.hidden) return;
    const fresh = document.getElementById("fresh");
    try {
      const response = await fetch(location.href, {
        headers: { accept: "text/html" }, redirect: "follow", signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.redirected) { location.reload(); return; }
      if (!response.ok) { showNotice(`The dashboard answers with error ${response.status}`); return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const replacement = page.getElementById("fresh");
      if (!replacement) return;
      const active = fresh.contains(document.activeElement) ? document.activeElement : null;
      const focused = active?.getAttribute("href") ?? null, focusedId = active?.id || null;
      fresh.replaceChildren(...replacement.childNodes);
      if (focused !== null) [...fresh.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
      if (focusedId) document.getElementById(focusedId)?.focus();
      refreshed_ms = Date.now();
      notice.hidden = true;
    } catch { showNotice("The dashboard does not answer"); }
  }
  setInterval(refresh, INTERVAL_MS);
  document.addEventListener("visibilitychange", refresh);
}

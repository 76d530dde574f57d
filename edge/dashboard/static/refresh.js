"use strict";
// Puts the newest state of the page in place of the old one; the scroll and the focus stay.
// When there is none to be had, the page says since when it is old.
{
  const EVERY_MS = 10000, PATIENCE_MS = 8000;
  const notice = make("p", "notice");
  notice.id = "away";
  notice.setAttribute("role", "alert");
  notice.hidden = true;
  document.getElementById("fresh").before(notice);
  let newest = new Date();

  function tellAway(why) {
    const text = `${why}: this is how it was at ${newest.toLocaleTimeString()}. Trying again …`;
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = false;
  }

  async function refresh() {
    if (document.hidden) return;
    const fresh = document.getElementById("fresh");
    try {
      const response = await fetch(location.href, {
        headers: { accept: "text/html" }, redirect: "follow", signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.redirected) { location.reload(); return; }
      if (!response.ok) { tellAway(`The dashboard answers ${response.status}`); return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const made = page.getElementById("fresh");
      if (!made) return;
      const held = fresh.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      fresh.replaceChildren(...made.childNodes);
      if (held !== null) [...fresh.querySelectorAll("a")].find((a) => a.getAttribute("href") === held)?.focus();
      newest = new Date();
      notice.hidden = true;
    } catch { tellAway("The dashboard does not answer"); }
  }
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}

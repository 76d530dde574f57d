"use strict";
// The WebSocket of the live page. The server first sends the complete state, then the changes.
// After a disconnection the page connects again and gets the complete state again, so that nothing
// is missing and nothing is shown twice.
{
  const SILENCE_MS = 7000, FIRST_DELAY_MS = 250, MAX_DELAY_MS = 5000, DAY_MS = 86400000;
  let socket = null, delay_ms = FIRST_DELAY_MS, received_ms = performance.now();

  function connect() {
    received_ms = performance.now();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const opened = new WebSocket(`${scheme}://${location.host}${isDisplay ? "/display" : ""}/live`);
    socket = opened;
    opened.onmessage = (message) => { if (socket === opened) update(JSON.parse(message.data)); };
    opened.onclose = () => { if (socket === opened) disconnected(); };
  }

  function disconnected() {
    socket = null;
    known.online = false;
    drawSoon();
    setTimeout(reconnect, delay_ms);
    delay_ms = Math.min(MAX_DELAY_MS, 2 * delay_ms);
  }

  /** Request a file first: a refused WebSocket does not show whether the user must log in. */
  async function reconnect() {
    try {
      const response = await fetch("/static/common.js", { cache: "no-store" });
      if (response.status === 401) {
        // The link of a display was revoked: the page says that, and shows no form for the password.
        if (isDisplay) location.reload(); else logIn();
        return;
      }
    } catch { /* the dashboard does not answer */ }
    connect();
  }

  /** Take over the state or the changes in a message from the server. */
  function update(body) {
    received_ms = performance.now();
    delay_ms = FIRST_DELAY_MS;
    if (isDisplay && body.version !== document.body.dataset.version) { location.reload(); return; }
    known.ahead_s = body.now - Date.now() / 1000;
    const first = !known.everOnline;
    if (body.all) {
      known.alerts.clear();
      known.devices.clear();
      known.refused = {};
    }
    const seenBefore = new Set(seen);
    for (const name of body.gone || []) known.devices.delete(name);
    for (const device of body.devices || []) known.devices.set(device.device, device);
    for (const alert of body.alerts || []) { known.alerts.set(alert.episode, alert); seen.add(alert.episode); }
    if (body.link) known.link = body.link;
    if (body.refused) known.refused = body.refused;
    const changed = body.all || !known.online || body.devices || body.gone || body.alerts || body.link || body.refused;
    known.online = known.everOnline = true;
    if (changed) drawSoon();
    const news = (body.alerts || []).filter((a) => !seenBefore.has(a.episode) && a.ended_s === null && a.acknowledged_s === null);
    if (news.length && !first) announce(news);
    if (seen.size > 5000) for (const episode of seen) if (!known.alerts.has(episode)) seen.delete(episode);
  }

  /** The episodes that this page has received; an episode that is not among them is announced. */
  const seen = new Set();

  function announce(alerts) {
    const alert = alerts[0];
    byId("news").textContent = `New alert: ${LABELS[alert.label] || alert.label} at ${deviceName(alert.device)}, ${cameraName(alert)}`
      + (alerts.length > 1 ? ` and ${alerts.length - 1} more` : "");
    byId("banner").classList.add("flash");
    setTimeout(() => byId("banner").classList.remove("flash"), 2500);
    beep();
  }

  for (const id of ["search", "which"]) byId(id).addEventListener("input", filterAgain);
  byId("show-more").addEventListener("click", showMore);
  byId("acknowledge-all").addEventListener("click", () =>
    acknowledge([...known.alerts.values()].filter(isPending).map((a) => a.episode)));
  setInterval(() => {
    // The server sends a message at least every two seconds. Without one the connection is broken,
    // even if it has not been closed.
    if (socket && performance.now() - received_ms > SILENCE_MS) { const dead = socket; disconnected(); dead.onclose = null; dead.close(); }
  }, 1000);
  // Browsers keep a cookie for 400 days only: a display, which nobody uses, renews it.
  if (isDisplay) setInterval(() => { fetch(location.pathname).catch(() => { /* again tomorrow */ }); }, DAY_MS);
  connect();
}

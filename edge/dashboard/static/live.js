"use strict";
// The connection of the live page: everything at first, then what changes. Whenever it breaks it
// is made anew, and everything comes again: nothing is missed and nothing is there twice.
{
  const SILENCE_MS = 7000, FIRST_DELAY_MS = 250, MAX_DELAY_MS = 5000;
  let socket = null, delay_ms = FIRST_DELAY_MS, heard = Date.now();

  function connect() {
    heard = Date.now();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const mine = new WebSocket(`${scheme}://${location.host}/live`);
    socket = mine;
    mine.onmessage = (message) => { if (socket === mine) take(JSON.parse(message.data)); };
    mine.onclose = () => { if (socket === mine) lost(); };
  }

  function lost() {
    socket = null;
    known.online = false;
    drawSoon();
    setTimeout(again, delay_ms);
    delay_ms = Math.min(MAX_DELAY_MS, 2 * delay_ms);
  }

  /** Whether we must log in cannot be told from a websocket that was refused. */
  async function again() {
    try {
      const response = await fetch("/static/common.js", { cache: "no-store" });
      if (response.status === 401) { location.assign("/login"); return; }
    } catch { /* it is away */ }
    connect();
  }

  function take(body) {
    heard = Date.now();
    delay_ms = FIRST_DELAY_MS;
    known.ahead_s = body.now - Date.now() / 1000;
    const first = !known.everOnline;
    if (body.all) {
      known.alerts.clear();
      known.devices.clear();
      known.refused = {};
    }
    const before = new Set(seen);
    for (const name of body.gone || []) known.devices.delete(name);
    for (const device of body.devices || []) known.devices.set(device.device, device);
    for (const alert of body.alerts || []) { known.alerts.set(alert.episode, alert); seen.add(alert.episode); }
    if (body.link) known.link = body.link;
    if (body.refused) known.refused = body.refused;
    const changed = body.all || !known.online || body.devices || body.gone || body.alerts || body.link || body.refused;
    known.online = known.everOnline = true;
    if (changed) drawSoon();
    const news = (body.alerts || []).filter((a) => !before.has(a.episode) && a.ended_s === null && a.acknowledged_s === null);
    if (news.length && !first) announce(news);
    if (seen.size > 5000) for (const episode of seen) if (!known.alerts.has(episode)) seen.delete(episode);
  }

  const seen = new Set();

  function announce(alerts) {
    const alert = alerts[0];
    byId("news").textContent = `New alert: ${LABELS[alert.label] || alert.label} at ${alert.device}, ${alert.camera}`
      + (alerts.length > 1 ? ` and ${alerts.length - 1} more` : "");
    byId("banner").classList.add("flash");
    setTimeout(() => byId("banner").classList.remove("flash"), 2500);
    if (byId("sound").checked) beep();
  }

  let audio = null;
  function beep() {
    if (!audio) return;
    for (const [at, pitch] of [[0, 880], [0.18, 1175]]) {
      const tone = audio.createOscillator(), volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.25, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.16);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.17);
    }
  }
  // A browser lets a page make a sound only after somebody has asked for it.
  byId("sound").addEventListener("change", () => {
    if (!byId("sound").checked) return;
    audio = audio || new AudioContext();
    audio.resume();
    beep();
  });

  for (const id of ["search", "which"]) byId(id).addEventListener("input", drawSoon);
  byId("acknowledge-all").addEventListener("click", () =>
    acknowledge([...known.alerts.values()].filter(isPending).map((a) => a.episode)));
  setInterval(() => {
    // A connection that was cut without a word: the server sends a beat every two seconds.
    if (socket && Date.now() - heard > SILENCE_MS) { const dead = socket; lost(); dead.onclose = null; dead.close(); }
  }, 1000);
  connect();
}

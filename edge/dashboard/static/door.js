"use strict";
// The screen at a door. The server sends what to show; without the server, the door is not watched.
{
  // The server sends a message at least every two seconds.
  const SILENCE_MS = 5000, FIRST_DELAY_MS = 250, MAX_DELAY_MS = 5000;
  /** A short state, such as a person who is seen for a moment, is not spoken. */
  const SPEAK_AFTER_MS = 400;
  /** The largest text in relation to its room, so that one short word does not fill the screen. */
  const MAX_TEXT = 0.6;
  const page = JSON.parse(document.body.dataset.page);
  const text = document.getElementById("text"), room = document.getElementById("room");
  const why = document.getElementById("why");
  let shows = "", turn = 0, turning = 0, speaking = 0;

  /** Show a state; `reason` is a small text for those who look after the screen. */
  function show(state, reason) {
    why.textContent = reason;
    if (state === shows) return;
    shows = state;
    document.body.className = state;
    const [background, ink] = page.colours[state];
    document.documentElement.style.setProperty("--page", background);
    document.documentElement.style.setProperty("--ink", ink);
    turn = 0;
    draw();
    clearInterval(turning);
    turning = setInterval(() => { turn += 1; draw(); }, 1000 * page.language_s);
    speakSoon();
  }

  function draw() {
    const language = page.languages[turn % page.languages.length];
    text.lang = language.lang;
    text.dir = "auto";
    text.textContent = language.texts[shows];
    fit();
  }

  /** Make the text as large as it fits. */
  function fit() {
    let low = 8, high = MAX_TEXT * room.clientHeight;
    while (high - low > 1) {
      const size = (low + high) / 2;
      text.style.fontSize = `${size}px`;
      const fits = text.scrollWidth <= text.clientWidth && text.offsetHeight <= room.clientHeight;
      if (fits) low = size; else high = size;
    }
    text.style.fontSize = `${low}px`;
  }
  new ResizeObserver(fit).observe(room);
  document.fonts.ready.then(fit);

  function speakSoon() {
    clearTimeout(speaking);
    if (!page.speak || !window.speechSynthesis) return;
    speechSynthesis.cancel();
    if (!["no_mask", "incorrect_mask", "thanks"].includes(shows)) return;
    speaking = setTimeout(() => {
      for (const language of page.languages) {
        const utterance = new SpeechSynthesisUtterance(language.texts[shows]);
        utterance.lang = language.lang;
        speechSynthesis.speak(utterance);
      }
    }, SPEAK_AFTER_MS);
  }

  let socket = null, delay_ms = FIRST_DELAY_MS, received_ms = performance.now();

  function connect() {
    received_ms = performance.now();
    const address = new URL(`${location.pathname}/state`, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const opened = new WebSocket(address);
    socket = opened;
    opened.onmessage = (message) => { if (socket === opened) update(JSON.parse(message.data)); };
    opened.onclose = () => { if (socket === opened) disconnected(); };
  }

  function update(body) {
    // The dashboard was started again with other settings, or in another version.
    if (body.version !== page.version) { location.reload(); return; }
    received_ms = performance.now();
    delay_ms = FIRST_DELAY_MS;
    show(body.shows, body.why);
  }

  function disconnected() {
    const dead = socket;
    socket = null;
    dead.close();
    show("off", "the dashboard does not answer");
    setTimeout(reconnect, delay_ms);
    delay_ms = Math.min(MAX_DELAY_MS, 2 * delay_ms);
  }

  /** Request the page first: a refused WebSocket does not tell whether the link was revoked. */
  async function reconnect() {
    try {
      const response = await fetch(location.pathname, { redirect: "manual", cache: "no-store" });
      if (response.type === "opaqueredirect" || response.status === 403) { location.reload(); return; }
    } catch { /* the dashboard does not answer */ }
    connect();
  }

  setInterval(() => { if (socket && performance.now() - received_ms > SILENCE_MS) disconnected(); }, 500);

  /** Keep the display of a tablet on; browsers allow this on https pages and on localhost. */
  async function stayAwake() {
    try { if (!document.hidden) await navigator.wakeLock?.request("screen"); } catch { /* refused */ }
  }
  document.addEventListener("visibilitychange", stayAwake);
  stayAwake();
  show("off", "connecting to the dashboard");
  connect();
}

"use strict";
// Draws what the live page knows. Nothing here talks to the network but the acknowledgement.

const ENDINGS = { masked: "Mask put on", left: "Left", shutdown: "Device stopped" };
const DEAF = new Set(["offline", "stalled", "unknown"]);
const MAX_SHOWN = 300;
/** What is older nobody will acknowledge any more. */
const PENDING_S = 86400;

/** What is known; `link` is how the dashboard reaches the broker, `online` how we reach it. */
const known = {
  alerts: new Map(), devices: new Map(), link: { connected: true, why: "", disk: "" },
  refused: {}, online: false, everOnline: false, ahead_s: 0,
};
const byId = (id) => document.getElementById(id);
const now_s = () => Date.now() / 1000 + known.ahead_s;

function lasted(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function clock(seconds) {
  const at = new Date(seconds * 1000);
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.toLocaleDateString()} `;
  return day + at.toLocaleTimeString();
}

/** The newest alert of each device that was not told to be over. */
let newest = new Map();
function findNewest() {
  newest = new Map();
  for (const alert of inOrder()) {
    if (alert.ended_s === null && !newest.has(alert.device)) newest.set(alert.device, alert.episode);
  }
}

/** Whether it goes on, whether nobody can tell, or how it ended. */
function stateOf(alert) {
  if (alert.ended_s !== null) return ["ended", ENDINGS[alert.ended_by] || "Ended"];
  const device = known.devices.get(alert.device);
  if (!device || DEAF.has(device.condition)) return ["lost", "Not known"];
  // The device has said since that nobody is bare-faced: the end of this one was lost on its way.
  // While it says that somebody is, the newest goes on in any case, whatever its clock says.
  const sure = device.no_mask && newest.get(alert.device) === alert.episode;
  if (device.calm_s > alert.started_s && !sure) return ["lost", "Not known"];
  return ["open", "Still there"];
}

const isPending = (alert) => alert.acknowledged_s === null && alert.started_s > now_s() - PENDING_S;
const isOpen = (alert) => stateOf(alert)[0] === "open";

const ACKNOWLEDGED_AT_ONCE = 1000;

/** What is acknowledged is drawn when the server tells of it; when that fails, somebody must know. */
async function acknowledge(episodes) {
  const notice = byId("acknowledge-error");
  notice.hidden = true;
  let why = "";
  try {
    const body = JSON.stringify({ episodes: episodes.slice(0, ACKNOWLEDGED_AT_ONCE) });
    const response = await fetch("/alerts/acknowledge", { method: "POST", body, signal: AbortSignal.timeout(10000) });
    if (response.status === 401) { location.assign("/login"); return; }
    if (!response.ok) {
      const json = (response.headers.get("content-type") || "").startsWith("application/json");
      why = json ? (await response.json()).error : `the dashboard could not keep it (${response.status})`;
    }
  } catch { why = "the dashboard does not answer"; }
  if (!why) return;
  notice.textContent = `Not acknowledged: ${why}. Try again.`;
  notice.hidden = false;
}

const cards = new Map();

function drawCard(alert) {
  let card = cards.get(alert.episode);
  if (!card) {
    card = make("li");
    card.parts = {
      badge: make("span", "badge"), body: make("div"), who: make("div", "who"),
      what: make("div", "what"), when: make("div", "when"), button: make("button", "", "Acknowledge"),
    };
    const p = card.parts;
    p.body.append(p.who, p.what, p.when);
    p.button.addEventListener("click", () => acknowledge([alert.episode]));
    card.append(p.badge, p.body, p.button);
    cards.set(alert.episode, card);
  }
  const [state, word] = stateOf(alert);
  const p = card.parts;
  card.className = `alert ${state}${alert.acknowledged_s === null ? "" : " acknowledged"}`;
  card.dataset.episode = alert.episode;
  p.badge.textContent = (state === "open" ? "● " : state === "lost" ? "? " : "○ ") + word;
  p.who.textContent = `${alert.device} · ${alert.camera}`;
  p.what.textContent = `${LABELS[alert.label] || alert.label}, score ${alert.score.toFixed(2)}`
    + (alert.replayed ? " · came late" : "") + (alert.clock_synced ? "" : " · time estimated");
  drawAge(alert);
  p.button.hidden = alert.acknowledged_s !== null;
  p.button.setAttribute("aria-label", `Acknowledge the alert of ${alert.device} at ${clock(alert.started_s)}`);
  return card;
}

function drawAge(alert) {
  const card = cards.get(alert.episode);
  if (!card) return;
  const seen = alert.acknowledged_s === null ? "" : " · acknowledged";
  const text = alert.ended_s === null && !isOpen(alert) ? `began ${clock(alert.started_s)}`
    : alert.ended_s === null ? `since ${clock(alert.started_s)} (${lasted(now_s() - alert.started_s)})`
    : `${clock(alert.started_s)}${alert.duration_s === null ? "" : `, for ${lasted(alert.duration_s)}`}`;
  if (card.parts.when.textContent !== text + seen) card.parts.when.textContent = text + seen;
}

function wanted(alert) {
  const which = byId("which").value;
  if (which === "open" && !isOpen(alert)) return false;
  if (which === "new" && alert.acknowledged_s !== null) return false;
  const text = `${alert.device} ${alert.camera} ${LABELS[alert.label] || alert.label} ${alert.label}`;
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => text.toLowerCase().includes(word));
}

/** Newest first. */
function inOrder() {
  return [...known.alerts.values()].sort((a, b) => b.started_s - a.started_s || (a.episode < b.episode ? 1 : -1));
}

function drawAlerts() {
  const alerts = inOrder();
  for (const old of alerts.slice(MAX_SHOWN)) {
    if (old.ended_s !== null) known.alerts.delete(old.episode);
  }
  const shown = alerts.filter(wanted).slice(0, MAX_SHOWN);
  const list = byId("alerts");
  const before = [...list.querySelectorAll("button")];
  const held = before.find((button) => button === document.activeElement);
  const stay = new Set(shown.map((alert) => alert.episode));
  for (const [episode, card] of cards) {
    if (!stay.has(episode)) { card.remove(); cards.delete(episode); }
  }
  let place = list.firstElementChild;
  for (const alert of shown) {
    const card = drawCard(alert);
    if (card === place) place = place.nextElementSibling;
    else list.insertBefore(card, place);
  }
  if (held && (!held.isConnected || held.hidden)) focusNear(before, before.indexOf(held));
  byId("empty").hidden = shown.length > 0;
  byId("shown").textContent = shown.length ? `The newest ${shown.length}.` : "";
}

/** The button that had the focus is gone: the next one below has it now, else the one above. */
function focusNear(buttons, from) {
  const usable = (button) => button.isConnected && !button.hidden;
  const next = buttons.slice(from + 1).find(usable) || buttons.slice(0, from).reverse().find(usable);
  (next || byId("alerts-title")).focus();
}

function drawBanner() {
  const open = inOrder().filter((alert) => isOpen(alert));
  const pending = inOrder().filter(isPending);
  const banner = byId("banner");
  const flash = banner.classList.contains("flash") ? " flash" : "";
  let kind = "calm", sign = "✔", text = "Nobody bare-faced", more = "";
  const watching = [...known.devices.values()].filter((d) => d.condition === "online");
  const blind = known.devices.size - watching.length;
  if (!known.online) {
    [kind, sign, text] = ["waiting", "…", known.everOnline ? "Reconnecting" : "Connecting"];
    more = known.everOnline ? "This page has lost the dashboard; it comes back by itself." : "";
  } else if (!known.link.connected) {
    [kind, sign, text, more] = ["waiting", "?", "No broker", "What happens now is shown when it is back."];
  } else if (open.length) {
    [kind, sign] = ["alarm", "!"];
    text = open.length === 1 ? "1 bare face" : `${open.length} bare faces`;
    const places = [...new Set(open.map((alert) => alert.device))];
    more = `at ${places.slice(0, 4).join(", ")}${places.length > 4 ? ` and ${places.length - 4} more` : ""}${blind ? ` · ${blind} not watching` : ""}`;
  } else if (!watching.length) {
    [kind, sign, text, more] = ["waiting", "?", "Nobody is watching", "No device is online."];
  } else if (blind) {
    [kind, sign, text] = ["warn", "▲", `${blind} of ${known.devices.size} not watching`];
    more = `Nobody bare-faced at the ${watching.length === 1 ? "one that is" : `${watching.length} that are`}`;
  } else {
    more = `${watching.length} device${watching.length === 1 ? "" : "s"} watching`;
  }
  banner.className = `banner ${kind}${flash}`;
  byId("banner-sign").textContent = sign;
  byId("banner-text").textContent = text;
  byId("banner-more").textContent = more;
  const all = byId("acknowledge-all");
  const left = document.activeElement === all;
  all.hidden = !pending.length || !known.online;
  if (left && all.hidden) byId("alerts-title").focus();
  all.textContent = pending.length === 1 ? "Acknowledge 1 alert" : `Acknowledge ${pending.length} alerts`;
  document.title = `${open.length ? `(${open.length}) ` : ""}Live · Mask Patrol`;
}

const deviceCards = new Map();
const ORDER = { trouble: 0, stalled: 0, offline: 1, paused: 2, unknown: 3, online: 4 };
const MAX_DEVICES = 60;

function drawDevices() {
  const devices = [...known.devices.values()].sort((a, b) =>
    (b.no_mask === true) - (a.no_mask === true) || ORDER[a.condition] - ORDER[b.condition]
    || a.device.localeCompare(b.device, undefined, { numeric: true }));
  const shown = devices.slice(0, MAX_DEVICES);
  const list = byId("devices");
  const stay = new Set(shown.map((device) => device.device));
  for (const [name, card] of deviceCards) {
    if (!stay.has(name)) { card.remove(); deviceCards.delete(name); }
  }
  let place = list.firstElementChild;
  for (const device of shown) {
    const card = drawDevice(device);
    if (card === place) place = place.nextElementSibling;
    else list.insertBefore(card, place);
  }
  const online = devices.filter((device) => device.condition === "online").length;
  byId("device-count").textContent = devices.length
    ? `${online} of ${devices.length} online${devices.length > MAX_DEVICES ? `, ${MAX_DEVICES} shown` : ""}` : "";
  byId("no-devices").hidden = devices.length > 0;
}

function drawDevice(device) {
  let card = deviceCards.get(device.device);
  if (!card) {
    card = make("li");
    card.parts = { name: make("a", "name", device.device), state: make("span"), more: make("p", "more") };
    card.parts.name.href = `/health/${encodeURIComponent(device.device)}`;
    card.append(card.parts.name, card.parts.state, card.parts.more);
    deviceCards.set(device.device, card);
  }
  const facts = [];
  if (device.why) facts.push(device.why);
  if (device.people !== null && !DEAF.has(device.condition)) facts.push(`${device.people} in view`);
  facts.push(device.seen_s === null ? "not heard yet" : `last heard ${clock(device.seen_s)}`);
  if (device.waiting) facts.push(`${device.waiting} events wait`);
  if (device.lost) facts.push(`${device.lost} events lost`);
  card.className = `device ${device.condition}`;
  card.parts.state.className = `state ${device.condition}`;
  card.parts.state.textContent = device.condition;
  card.parts.more.textContent = facts.join(" · ");
  return card;
}

function drawLink() {
  const lines = [];
  if (!known.online && known.everOnline) lines.push("Connection to the dashboard lost: trying again …");
  if (known.online && !known.link.connected) lines.push(`No broker: ${known.link.why || "connecting"}.`);
  if (known.link.disk) lines.push(known.link.disk);
  const notice = byId("link");
  notice.hidden = !lines.length;
  notice.textContent = lines.join(" ");
  const refused = Object.values(known.refused).reduce((sum, count) => sum + count, 0);
  byId("refused").hidden = !refused;
  byId("refused").textContent = `${refused} messages were refused (see Health).`;
}

let drawn = false;
/** Draw everything soon, once for all that has changed until then. */
function drawSoon() {
  if (drawn) return;
  drawn = true;
  // Not requestAnimationFrame: a page in the background must keep its title true.
  setTimeout(() => { drawn = false; findNewest(); drawLink(); drawDevices(); drawAlerts(); drawBanner(); }, 30);
}

setInterval(() => { for (const alert of known.alerts.values()) if (alert.ended_s === null) drawAge(alert); }, 1000);

"use strict";
// Draws the state of the live page; nothing here uses the network.

const ENDINGS = { masked: "Mask put on", left: "Left", shutdown: "Device stopped" };
/** Texts for the conditions; the same as `CONDITIONS` in page_context.py. */
const CONDITIONS = {
  online: "online", offline: "offline", stalled: "not responding", trouble: "problem", paused: "paused", unknown: "unknown",
};
const SILENT_CONDITIONS = new Set(["offline", "stalled", "unknown"]);
/** How many alerts the page keeps, and how many of them and of the devices have a card at first. */
const MAX_ALERTS = 300, CARDS = 20, MAX_DEVICES = 20;
/** Older alerts no longer count as waiting for an acknowledgement. */
const PENDING_S = 86400;

/** The state; `link` is the dashboard's connection to the broker, `online` this page's connection. */
const known = {
  alerts: new Map(), devices: new Map(), link: { connected: true, why: "", disk: "" },
  refused: {}, online: false, everOnline: false, ahead_s: 0,
};
const byId = (id) => document.getElementById(id);
/** Whether this is a display on a wall, which may open no other page and change nothing. */
const isDisplay = document.body.classList.contains("display");
// This page writes the times, so they are in the browser's zone even if it accepts no cookies.
byId("zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
const now_s = () => Date.now() / 1000 + known.ahead_s;

/** The time, with the date unless it is today. */
function clock(seconds) {
  const [day, time] = formatTime(seconds).split(" ");
  return formatTime(now_s()).startsWith(day) ? time : `${day} ${time}`;
}

/** How the page names a device, which need not be in the list. */
const deviceName = (name) => displayName(name, known.devices.get(name)?.title);

/** How the page names the camera of an alert, by the title that the camera has now. */
function cameraName(alert) {
  const device = known.devices.get(alert.device);
  return displayName(alert.camera, device?.camera === alert.camera ? device.camera_title : "");
}

/** The state of an alert and its text. The server finds out which alerts are ongoing. */
function stateOf(alert) {
  if (alert.ended_s !== null) return ["ended", ENDINGS[alert.ended_by] || "Ended"];
  return alert.ongoing ? ["open", "Ongoing"] : ["lost", "End not reported"];
}

const isPending = (alert) => alert.acknowledged_s === null && alert.started_s > now_s() - PENDING_S;
const isOpen = (alert) => alert.ended_s === null && alert.ongoing;

const cards = new Map();
/** How many alerts may have a card now: "Show more" raises it. */
let cardLimit = CARDS;

function showMore() {
  const before = byId("alerts").childElementCount;
  cardLimit += CARDS;
  drawAlerts();
  // The focus goes to the first new card: the button moves away, and may be hidden now.
  const added = byId("alerts").children[before];
  if (added) { added.tabIndex = -1; added.focus(); }
}

/** Redraw after another search or filter, which starts with few cards again. */
function filterAgain() {
  cardLimit = CARDS;
  drawSoon();
}

function drawCard(alert) {
  let card = cards.get(alert.episode);
  if (!card) {
    card = make("li");
    card.parts = {
      badge: make("span", "badge"), body: make("div"), place: make("div", "who"),
      label: make("div", "what"), when: make("div", "when"),
      button: make("button", "acknowledge", "Acknowledge"), note: make("button"),
    };
    const p = card.parts;
    p.body.append(p.place, p.label, p.when);
    p.button.addEventListener("click", () => acknowledge([alert.episode]));
    p.note.addEventListener("click", () => editNote([alert.episode], known.alerts.get(alert.episode)?.note || ""));
    card.append(p.badge, p.body, p.button, p.note);
    cards.set(alert.episode, card);
  }
  const [state, text] = stateOf(alert);
  const p = card.parts;
  card.className = `alert ${state}${alert.acknowledged_s === null ? "" : " acknowledged"}`;
  card.dataset.episode = alert.episode;
  p.badge.textContent = (state === "open" ? "● " : state === "lost" ? "? " : "○ ") + text;
  p.place.textContent = `${deviceName(alert.device)} · ${cameraName(alert)}`;
  p.label.textContent = `${LABELS[alert.label] || alert.label}, score ${percent(alert.score)}`
    + (alert.replayed ? " · delivered late" : "") + (alert.clock_synced ? "" : " · time estimated");
  drawAge(alert);
  p.button.hidden = alert.acknowledged_s !== null;
  p.note.hidden = alert.acknowledged_s === null;
  p.note.textContent = alert.note ? "Change the note" : "Add a note";
  p.note.setAttribute("aria-label", `${p.note.textContent} of the alert of ${deviceName(alert.device)} at ${clock(alert.started_s)}`);
  p.button.setAttribute("aria-label", `Acknowledge the alert of ${deviceName(alert.device)} at ${clock(alert.started_s)}`);
  return card;
}

function drawAge(alert) {
  const card = cards.get(alert.episode);
  if (!card) return;
  const by = alert.acknowledged_by ? ` by \u2068${alert.acknowledged_by}\u2069` : "";
  const seen = alert.acknowledged_s === null ? "" : ` · acknowledged${by}${alert.note ? `: \u2068${alert.note}\u2069` : ""}`;
  const text = alert.ended_s === null && !isOpen(alert) ? `started ${clock(alert.started_s)}`
    : alert.ended_s === null ? `since ${clock(alert.started_s)} (${formatDuration(now_s() - alert.started_s)})`
    : `${clock(alert.started_s)}${alert.duration_s === null ? "" : `, for ${formatDuration(alert.duration_s)}`}`;
  if (card.parts.when.textContent !== text + seen) card.parts.when.textContent = text + seen;
}

function isWanted(alert) {
  const choice = byId("which").value;
  if (choice === "open" && !isOpen(alert)) return false;
  if (choice === "new" && alert.acknowledged_s !== null) return false;
  const text = `${deviceName(alert.device)} ${cameraName(alert)} ${LABELS[alert.label] || alert.label} ${alert.label}`;
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => text.toLowerCase().includes(word));
}

/** The alerts, newest first. */
function newestFirst() {
  return [...known.alerts.values()].sort((a, b) => b.started_s - a.started_s || (a.episode < b.episode ? 1 : -1));
}

function drawAlerts() {
  const alerts = newestFirst();
  for (const old of alerts.slice(MAX_ALERTS)) {
    if (old.ended_s !== null) known.alerts.delete(old.episode);
  }
  const wanted = alerts.filter(isWanted).slice(0, MAX_ALERTS), shown = wanted.slice(0, cardLimit);
  const list = byId("alerts");
  const buttons = [...list.querySelectorAll("button")];
  const focused = buttons.find((button) => button === document.activeElement);
  const kept = new Set(shown.map((alert) => alert.episode));
  for (const [episode, card] of cards) {
    if (!kept.has(episode)) { card.remove(); cards.delete(episode); }
  }
  let place = list.firstElementChild;
  for (const alert of shown) {
    const card = drawCard(alert);
    if (card === place) place = place.nextElementSibling;
    else list.insertBefore(card, place);
  }
  if (focused && (!focused.isConnected || focused.hidden)) {
    const order = buttons.filter((button) => button === focused || button.matches(".acknowledge"));
    focusNear(order, order.indexOf(focused));
  }
  byId("empty").hidden = shown.length > 0;
  byId("shown").textContent = shown.length ? `The newest ${shown.length} of ${wanted.length} are shown.` : "";
  byId("show-more").hidden = wanted.length <= shown.length;
}

/** The focused button has gone: focus the next one below it, or else the nearest one above it. */
function focusNear(buttons, from) {
  const usable = (button) => button.isConnected && !button.hidden;
  const next = buttons.slice(from + 1).find(usable) || buttons.slice(0, from).reverse().find(usable);
  (next || byId("alerts-title")).focus();
}

const devicesText = (count) => (count === 1 ? "1 device" : `${count} devices`);

function drawBanner() {
  const open = newestFirst().filter((alert) => isOpen(alert));
  const pending = newestFirst().filter(isPending);
  const banner = byId("banner");
  const flash = banner.classList.contains("flash") ? " flash" : "";
  let kind = "calm", sign = "✔", text = "Nobody without a mask", more = "";
  const online = [...known.devices.values()].filter((d) => d.condition === "online");
  const absent = known.devices.size - online.length;
  // Devices with an alert that is not known here: it began before the dashboard's first connection, or its start was lost.
  const listed = new Set(open.map((alert) => alert.device));
  const others = online.filter((d) => d.no_mask && !listed.has(d.device)).map((d) => d.device);
  const people = open.length + others.length;
  if (!known.online) {
    [kind, sign, text] = ["waiting", "…", known.everOnline ? "Reconnecting" : "Connecting"];
    more = known.everOnline ? "The connection to the dashboard was lost. The page reconnects automatically." : "";
  } else if (!known.link.connected) {
    [kind, sign, text, more] = ["waiting", "?", "No connection to the broker", "Events that happen now are shown when the connection is back."];
  } else if (people) {
    [kind, sign] = ["alarm", "!"];
    text = `${others.length ? "At least " : ""}${people === 1 ? "1 person" : `${people} people`} without a mask`;
    const places = [...listed, ...others];
    more = `at ${places.slice(0, 4).map(deviceName).join(", ")}${places.length > 4 ? ` and ${places.length - 4} more` : ""}${absent ? ` · ${devicesText(absent)} not online` : ""}`;
  } else if (!online.length) {
    [kind, sign, text, more] = ["waiting", "?", "No device online", "People without a mask are not reported now."];
  } else if (absent) {
    [kind, sign, text] = ["warn", "▲", `${absent} of ${devicesText(known.devices.size)} not online`];
    more = `Nobody without a mask at the ${online.length === 1 ? "device that is" : `${online.length} devices that are`} online`;
  } else {
    more = `${devicesText(online.length)} online`;
  }
  banner.className = `banner ${kind}${flash}`;
  byId("banner-sign").textContent = sign;
  byId("banner-text").textContent = text;
  byId("banner-more").textContent = more;
  const all = byId("acknowledge-all");
  const wasFocused = document.activeElement === all;
  all.hidden = !pending.length || !known.online;
  if (wasFocused && all.hidden) byId("alerts-title").focus();
  all.textContent = pending.length === 1 ? "Acknowledge 1 alert" : `Acknowledge ${pending.length} alerts`;
  document.title = `${people ? `(${people}) ` : ""}Live · Mask Patrol`;
}

const deviceCards = new Map();
const byNumber = new Intl.Collator(undefined, { numeric: true });
/** Devices with trouble come first; the Health page has a similar order (device_list.py). */
const ORDER = { trouble: 0, stalled: 0, offline: 1, paused: 2, unknown: 3, online: 4 };

function drawDevices() {
  const devices = [...known.devices.values()].sort((a, b) =>
    (b.no_mask === true) - (a.no_mask === true) || ORDER[a.condition] - ORDER[b.condition]
    || byNumber.compare(a.device, b.device));
  const shown = devices.slice(0, MAX_DEVICES);
  const list = byId("devices");
  const kept = new Set(shown.map((device) => device.device));
  for (const [name, card] of deviceCards) {
    if (!kept.has(name)) { card.remove(); deviceCards.delete(name); }
  }
  let place = list.firstElementChild;
  for (const device of shown) {
    const card = drawDevice(device);
    if (card === place) place = place.nextElementSibling;
    else list.insertBefore(card, place);
  }
  const online = devices.filter((device) => device.condition === "online").length;
  byId("device-count").textContent = devices.length ? `${online} of ${devices.length} online` : "";
  byId("all-devices").hidden = devices.length <= shown.length;
  byId("all-devices-link").textContent = `all ${devices.length} devices`;
  byId("devices-shown").textContent = shown.length;
  byId("no-devices").hidden = devices.length > 0;
}

const eventsText = (count) => (count === 1 ? "1 event" : `${count} events`);

function drawDevice(device) {
  let card = deviceCards.get(device.device);
  if (!card) {
    card = make("li");
    card.parts = { name: make(isDisplay ? "span" : "a", "name"), state: make("span"), more: make("p", "more") };
    if (!isDisplay) card.parts.name.href = `/health/${encodeURIComponent(device.device)}`;
    card.append(card.parts.name, card.parts.state, card.parts.more);
    deviceCards.set(device.device, card);
  }
  const facts = [], isSilent = SILENT_CONDITIONS.has(device.condition);
  if (device.why) facts.push(device.why);
  if (device.people !== null && !isSilent) facts.push(`${device.people} in view`);
  facts.push(device.seen_s === null ? "no message yet" : `last message ${clock(device.seen_s)}`);
  // Of a silent device, the number is that of its last report.
  if (device.waiting) facts.push(`${eventsText(device.waiting)} ${isSilent ? (device.waiting === 1 ? "was waiting then" : "were waiting then") : "waiting"}`);
  if (device.lost) facts.push(`${eventsText(device.lost)} lost`);
  card.className = `device ${device.condition}`;
  card.parts.name.textContent = deviceName(device.device);
  card.parts.state.className = `state ${device.condition}`;
  card.parts.state.textContent = CONDITIONS[device.condition] || device.condition;
  card.parts.more.textContent = facts.join(" · ");
  return card;
}

function drawLink() {
  const lines = [];
  if (!known.online && known.everOnline) lines.push("The connection to the dashboard was lost. Reconnecting …");
  if (known.online && !known.link.connected) lines.push(sentence(known.link.why || "connecting to the broker …"));
  if (known.link.disk) lines.push(sentence(known.link.disk));
  const notice = byId("link");
  notice.hidden = !lines.length;
  notice.textContent = lines.join(" ");
  const refused = Object.values(known.refused).reduce((sum, count) => sum + count, 0);
  byId("refused").hidden = !refused;
  byId("refused").textContent = refused === 1 ? "1 message was refused. The Health page shows why." : `${refused} messages were refused. The Health page shows why.`;
}

let isDrawPlanned = false;
/** Redraw the page shortly, once for all changes until then. */
function drawSoon() {
  if (isDrawPlanned) return;
  isDrawPlanned = true;
  // Not requestAnimationFrame: it does not run in background pages, whose title must stay current.
  setTimeout(() => { isDrawPlanned = false; drawLink(); drawDevices(); drawAlerts(); drawBanner(); }, 30);
}

setInterval(() => { for (const alert of known.alerts.values()) if (alert.ended_s === null) drawAge(alert); }, 1000);

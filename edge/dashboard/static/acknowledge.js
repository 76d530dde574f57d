"use strict";
// Acknowledging alerts: who does it, taking it back, and notes about alerts.

/** Acknowledge the alerts of these episodes; the name is asked for once. */
let acknowledge;
/** Ask for the note of acknowledged alerts, and store it; `present` is the note that they have. */
let editNote;

{
  const NAME_KEY = "mask_patrol_name", TIMEOUT_MS = 10000, MAX_EPISODES = 1000;
  /** For how long an acknowledgement can be taken back; the same as UNDO_LIMIT_S in alert_pages.py, which adds the time of the request. */
  const UNDO_MS = 10000;
  const element = (id) => document.getElementById(id);
  const bar = element("undo"), notice = element("acknowledge-error");
  let hideTimer = 0, last = null, questions = 0;

  /** The name in this browser; without storage, the name is kept until the page is closed. */
  let name = "";
  try { name = localStorage.getItem(NAME_KEY) || ""; } catch { /* the browser refuses storage */ }

  function setName(text) {
    name = text.trim();
    try { localStorage.setItem(NAME_KEY, name); } catch { /* see above */ }
    showName();
  }

  function showName() {
    element("acknowledges-as").hidden = !name;
    element("own-name").textContent = name;
  }

  /** Show a dialog with one field that has `value` at first; return its text, or null if it was cancelled. */
  function ask(id, value) {
    const dialog = element(id), field = dialog.querySelector("input"), own = ++questions;
    field.value = value;
    dialog.returnValue = "";
    dialog.showModal();
    field.select();
    return new Promise((done) => {
      function closed() {
        // The event comes some time after the dialog was closed: it may be open again, for another question.
        if (own === questions && dialog.open) return;
        dialog.removeEventListener("close", closed);
        done(own === questions && dialog.returnValue === "ok" ? field.value : null);
      }
      dialog.addEventListener("close", closed);
    });
  }

  /** Send a change of alerts; return the answer, or null after the failure was shown. The page is redrawn when the server sends the changed alerts. */
  async function send(path, body, failure) {
    notice.hidden = true;
    let why = "the dashboard does not answer";
    try {
      const response = await fetch(path, {
        method: "POST", body: JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status === 401) { logIn(); return null; }
      const json = (response.headers.get("content-type") || "").startsWith("application/json");
      const answer = json ? await response.json() : {};
      if (response.ok) return answer;
      why = answer.error || `the dashboard could not store it (error ${response.status})`;
    } catch { /* `why` says it */ }
    showNotice(`${failure}: ${why}. Try again.`);
    return null;
  }

  function showNotice(text) {
    notice.textContent = text;
    notice.hidden = false;
  }

  acknowledge = async (episodes) => {
    if (!name) {
      const given = await ask("name-dialog", "");
      if (!given || !given.trim()) return;
      setName(given);
    }
    const sent = episodes.slice(0, MAX_EPISODES);
    const answer = await send("/alerts/acknowledge", { episodes: sent, name }, "Not acknowledged");
    if (answer?.acknowledged) offerUndo({ episodes: sent, at_s: answer.at_s }, answer.acknowledged);
    else if (answer) showNotice("Somebody else had acknowledged this before.");
  };

  editNote = async (episodes, present) => {
    const note = await ask("note-dialog", present);
    if (note !== null) await send("/alerts/note", { episodes, note }, "The note was not stored");
  };

  /** Offer to take back an acknowledgement of `count` alerts. */
  function offerUndo(done, count) {
    last = done;
    bar.hidden = false;
    element("undo-text").textContent = count === 1 ? "Acknowledged." : `Acknowledged ${count} alerts.`;
    clearTimeout(hideTimer);
    hideTimer = setTimeout(hideUndo, UNDO_MS);
  }

  function hideUndo() {
    clearTimeout(hideTimer);
    const hadFocus = bar.contains(document.activeElement);
    bar.hidden = true;
    if (hadFocus) element("alerts-title").focus();
  }

  async function undo() {
    const undone = last;
    hideUndo();
    await send("/alerts/undo", undone, "Not taken back");
  }
  element("undo-button").addEventListener("click", undo);
  // The bar is many steps of the Tab key away from the alerts, and it is there for a short time only.
  document.addEventListener("keydown", (event) => {
    const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    if (!isUndo || bar.hidden || event.target.closest("input, textarea, dialog")) return;
    event.preventDefault();
    undo();
  });
  element("undo-note").addEventListener("click", async () => {
    await editNote(last.episodes, "");
    // The bar, to which the closed dialog returns the focus, may be hidden by now.
    if (bar.hidden) element("alerts-title").focus();
  });
  element("change-name").addEventListener("click", async () => {
    const given = await ask("name-dialog", name);
    if (given && given.trim()) setName(given);
  });
  showName();
}

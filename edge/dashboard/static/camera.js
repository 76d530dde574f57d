"use strict";
// Shows the live picture of the camera, turns it, and edits the zone, excluded areas and the smallest face on it.
{
  const INTERVAL_MS = 200, HIDDEN_INTERVAL_MS = 2000, GRAB_DISTANCE_PX = 14;
  /** Texts for the processing stages; the others are shown by their names. */
  const STAGES = { frame: "whole frame", commit: "store event" };
  const COLOURS = { no_mask: "#d21e28", incorrect_mask: "#b35c00", mask: "#148c3c", unsure: "#696969" };
  const element = (id) => document.getElementById(id);
  const picture = element("picture"), canvas = element("drawing"), corners = element("corners"), slider = element("min-face");
  const POLL_MS = 400, RETRY_MS = 2000;
  /** An excluded area is larger than the box by this share on each side, because boxes vary from frame to frame. */
  const EXCLUDED_MARGIN = 0.15;
  /** Texts for the status of the configuration after it was saved. */
  const SAVED_TEXTS = {
    used: () => "Saved. The device uses the new settings now.",
    waiting: () => "Saved. The device is reading the new settings …",
    refused: (why) => `Saved, but the device refused the new settings and keeps its previous ones. ${sentence(why)}`,
    other: () => "Saved, but the device uses other settings. Somebody else has saved since, or its settings file was edited.",
    away: (why) => `Saved. The device does not answer and will use the new settings when it starts. ${sentence(why)}`,
  };
  /** Texts for the status when the page was opened; the other states need no text. */
  const OPENED_TEXTS = {
    refused: (why) => `The device refused the settings in its files and keeps its previous ones. ${sentence(why)}`,
    other: () => "The device uses other settings than its files contain. Save to have it read them.",
  };
  let zone = [], excluded = [], draggedCorner = -1, view = null, minFace = null, isMinFaceChanged = false, isEditable = false;
  /** How the picture is turned: degrees clockwise, and then mirrored. */
  let rotate = 0, mirror = false;
  /** Counts the requests and edits: an answer that belongs to an older one is ignored. */
  let requestNumber = 0;

  /** The dashboard did not answer, or something else answered: the request may have been executed. */
  class NoAnswerError extends Error {}

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  /** Return the JSON of an answer about the camera that the page's own address names; throws NoAnswerError, or an Error with the reported problem. */
  async function request(address, options) {
    let response, body = {}, json = false;
    try {
      response = await fetch(address + location.search, options);
      json = (response.headers.get("content-type") || "").startsWith("application/json");
      if (json) body = await response.json();
    } catch { throw new NoAnswerError("the dashboard does not answer"); }
    if (response.status === 401) {
      logIn();
      throw new Error("log in again");
    }
    if (!json) throw new NoAnswerError(`the dashboard cannot answer at the moment (error ${response.status})`);
    if (!response.ok) throw new Error(body.error);
    return body;
  }

  /** Set a text only if it has changed, because a screen reader reads each new text aloud. */
  function setText(id, text) {
    if (element(id).textContent !== text) element(id).textContent = text;
  }

  /** Show a text beside the button; an error is highlighted. */
  function showStatus(text, isError) {
    element("saved").className = isError ? "error" : "more";
    setText("saved", text);
  }

  /** Show an error above the picture, or remove it if `text` is empty. */
  function showError(text) {
    element("camera-error").hidden = !text;
    setText("camera-error", text || "");
    if (!text || !view) return;
    view = null;
    showPeople([]);
    setText("seen", "This is the last picture received.");
    draw();
  }

  /** Fetch and show pictures for ever. */
  async function showPictures() {
    try {
      const body = await request("/camera/view");
      showError(body.nothing ? "No picture at the moment: the camera does not deliver one, or monitoring is paused." : "");
      if (body.picture) {
        picture.src = `data:image/jpeg;base64,${body.picture}`;
        view = body;
        showStages(body.stages_ms);
        const people = body.people.length;
        showPeople(body.people);
        setText("seen", people === 0 ? "Nobody in view" : people === 1 ? "1 person in view" : `${people} people in view`);
      }
    } catch (error) {
      showError(error instanceof NoAnswerError ? `${sentence(error.message)} Retrying …` : sentence(error.message));
      await pause(1500);
    }
    setTimeout(showPictures, document.hidden ? HIDDEN_INTERVAL_MS : INTERVAL_MS);
  }

  picture.addEventListener("load", draw); // before that, the canvas does not have the size of the picture

  const round = (value) => Math.round(1000 * value) / 1000;
  const describe = (person) => `#${person.number} ${person.label ? labelWithScore(person) : "…"}`;

  /** List the people in view, each with a button that excludes its place. A row stays while its person is in view, so that the button does not vanish under the pointer. */
  function showPeople(people) {
    const list = element("people"), rows = new Map([...list.children].map((row) => [Number(row.dataset.number), row]));
    for (const [number, row] of rows) if (!people.some((person) => person.number === number)) row.remove();
    for (const person of people) {
      let row = rows.get(person.number);
      if (!row) {
        row = make("li");
        row.dataset.number = person.number;
        const button = makeButton("Exclude this place", () => exclude(person.number));
        button.setAttribute("aria-label", `Exclude this place, where person ${person.number} is`);
        button.disabled = !isEditable;
        row.append(make("span"), " ", button);
        list.append(row);
      }
      if (row.firstChild.textContent !== describe(person)) row.firstChild.textContent = describe(person);
    }
  }

  function makeButton(text, onClick) {
    const button = make("button", "", text);
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  }

  /** Exclude the place where person `number` is now. */
  function exclude(number) {
    const person = view && view.people.find((each) => each.number === number);
    if (!person) return;
    const [x, y, w, h] = person.box, cx = x + w / 2, cy = y + h / 2;
    if (excluded.some(([ex, ey, ew, eh]) => cx >= ex && cx <= ex + ew && cy >= ey && cy <= ey + eh)) return;
    const left = Math.max(0, x - EXCLUDED_MARGIN * w), top = Math.max(0, y - EXCLUDED_MARGIN * h);
    const right = Math.min(1, x + (1 + EXCLUDED_MARGIN) * w), bottom = Math.min(1, y + (1 + EXCLUDED_MARGIN) * h);
    excluded.push([round(left), round(top), round(right - left), round(bottom - top)]);
    excludedChanged();
  }

  function excludedChanged() {
    showExcluded();
    markChanged();
    draw();
  }

  function showExcluded() {
    element("no-excluded").hidden = excluded.length > 0;
    element("excluded").replaceChildren(...excluded.map(([x, y, w, h], index) => {
      const row = make("li"), percent = (value) => Math.round(100 * value);
      const place = `Area ${index + 1}: ${percent(x)}% from the left, ${percent(y)}% from the top, ${percent(w)}% × ${percent(h)}%`;
      const remove = makeButton("Remove", () => { excluded.splice(index, 1); excludedChanged(); });
      remove.setAttribute("aria-label", `Remove area ${index + 1}`);
      row.append(make("span", "", place), " ", remove);
      return row;
    }));
  }

  function showStages(stages) {
    element("stages").replaceChildren(...Object.entries(stages).map(([name, [median, p95]]) => {
      const row = make("tr");
      row.append(make("th", "", STAGES[name] || name), make("td", "number", `${median.toFixed(1)} ms`), make("td", "number", `${p95.toFixed(1)} ms`));
      row.firstChild.scope = "row";
      return row;
    }));
  }

  function draw() {
    const width = canvas.width = canvas.clientWidth, height = canvas.height = canvas.clientHeight;
    const pen = canvas.getContext("2d");
    if (zone.length) {
      // Darken the area outside the zone.
      pen.fillStyle = "rgba(0, 0, 0, 0.45)";
      pen.beginPath();
      pen.rect(0, 0, width, height);
      zone.forEach(([x, y], number) => (number ? pen.lineTo(x * width, y * height) : pen.moveTo(x * width, y * height)));
      pen.closePath();
      pen.fill("evenodd");
      pen.strokeStyle = "#ffd000";
      pen.lineWidth = 3;
      pen.beginPath();
      zone.forEach(([x, y], number) => (number ? pen.lineTo(x * width, y * height) : pen.moveTo(x * width, y * height)));
      pen.closePath();
      pen.stroke();
      pen.fillStyle = "#ffd000";
      for (const [x, y] of zone) { pen.beginPath(); pen.arc(x * width, y * height, 7, 0, 7); pen.fill(); }
    }
    pen.font = "bold 15px sans-serif";
    excluded.forEach(([x, y, w, h], index) => {
      pen.fillStyle = "rgba(0, 0, 0, 0.6)";
      pen.fillRect(x * width, y * height, w * width, h * height);
      pen.strokeStyle = pen.fillStyle = "#ffd000";
      pen.lineWidth = 2;
      pen.strokeRect(x * width, y * height, w * width, h * height);
      pen.fillText(`area ${index + 1}`, x * width + 5, (y + h) * height - 7); // the label of a person is at the top
    });
    pen.lineWidth = 3;
    for (const person of view ? view.people : []) {
      const [x, y, w, h] = person.box.map((v, index) => v * (index % 2 ? height : width));
      const text = describe(person);
      pen.strokeStyle = pen.fillStyle = COLOURS[person.label] || "#3b6ea5";
      pen.strokeRect(x, y, w, h);
      pen.fillRect(x - 1.5, Math.max(0, y - 22), pen.measureText(text).width + 12, 22);
      pen.fillStyle = "#fff";
      pen.fillText(text, x + 5, Math.max(16, y - 6));
    }
    if (minFace !== null) {
      pen.strokeStyle = "#fff";
      pen.setLineDash([6, 4]);
      pen.strokeRect(12, 12, minFace * width, minFace * width);
      pen.setLineDash([]);
      pen.fillStyle = "#fff";
      pen.fillText("smallest face", 14, 28 + minFace * width);
    }
  }

  /** Report the lines that contain no corner; while there are any, nothing can be saved. */
  function showInvalidLines(lines) {
    const error = element("corners-error");
    error.hidden = !lines.length;
    setText("corners-error", lines.length
      ? `${lines.length === 1 ? "Line" : "Lines"} ${lines.join(", ")}: not a corner. Write two numbers from 0 to 1, for example 0.25, 0.5` : "");
    corners.setAttribute("aria-invalid", String(lines.length > 0));
  }

  function writeCorners() {
    showInvalidLines([]);
    corners.value = zone.map(([x, y]) => `${x.toFixed(3)}, ${y.toFixed(3)}`).join("\n");
    markChanged();
    draw();
  }

  function showMinFace() {
    element("min-face-text").textContent = `${(100 * minFace).toFixed(1)}%`;
  }

  corners.addEventListener("input", () => {
    zone = [];
    const invalid = [];
    corners.value.split("\n").forEach((line, number) => {
      const corner = line.split(/[\s,;]+/).filter(Boolean).map(Number);
      if (corner.length === 2 && corner.every((v) => v >= 0 && v <= 1)) zone.push(corner);
      else if (line.trim()) invalid.push(number + 1);
    });
    showInvalidLines(invalid);
    markChanged();
    draw();
  });
  slider.addEventListener("input", () => { minFace = Number(slider.value); isMinFaceChanged = true; showMinFace(); markChanged(); draw(); });

  function position(event) {
    const box = canvas.getBoundingClientRect();
    const clip = (value) => Math.min(1, Math.max(0, round(value)));
    return [clip((event.clientX - box.left) / box.width), clip((event.clientY - box.top) / box.height)];
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (!isEditable) return;
    const [x, y] = position(event);
    draggedCorner = zone.findIndex(([cx, cy]) => Math.hypot((cx - x) * canvas.width, (cy - y) * canvas.height) < GRAB_DISTANCE_PX);
    if (draggedCorner < 0) { zone.push([x, y]); draggedCorner = zone.length - 1; }
    canvas.setPointerCapture(event.pointerId);
    writeCorners();
  });
  canvas.addEventListener("pointermove", (event) => { if (draggedCorner >= 0) { zone[draggedCorner] = position(event); writeCorners(); } });
  canvas.addEventListener("pointerup", () => { draggedCorner = -1; });
  element("undo").addEventListener("click", () => { zone.pop(); writeCorners(); });
  /** Turn the picture and everything that is drawn on it, and save at once: edits belong to the picture that is shown. */
  function turnPicture(turn, turnPoint, turnArea) {
    if (!element("corners-error").hidden) { showStatus("Not turned: a line does not contain a corner.", true); corners.focus(); return; }
    turn();
    zone = zone.map(([x, y]) => turnPoint(x, y).map(round));
    excluded = excluded.map(([x, y, w, h]) => turnArea(x, y, w, h).map((value) => Math.max(0, round(value))));
    showExcluded();
    writeCorners();
    element("form").requestSubmit();
  }
  element("turn").addEventListener("click", () => turnPicture(
    // Turning a mirrored picture clockwise turns the picture behind the mirror the other way.
    () => { rotate = (rotate + (mirror ? 270 : 90)) % 360; },
    (x, y) => [1 - y, x],
    (x, y, w, h) => [1 - y - h, x, h, w],
  ));
  element("mirror").addEventListener("click", () => turnPicture(
    () => { mirror = !mirror; },
    (x, y) => [1 - x, y],
    (x, y, w, h) => [1 - x - w, y, w, h],
  ));
  element("clear").addEventListener("click", () => { zone = []; writeCorners(); });

  const drawn = (settings) => JSON.stringify([settings.zone, settings.excluded, settings.rotate, settings.mirror]);
  const same = (one, other) => drawn(one) === drawn(other)
    && (other.min_face === undefined || one.min_face === other.min_face);

  /** Show whether the device uses `settings`; stop when it has used or refused them, or when the user edits something. */
  async function followStatus(use, texts, settings) {
    const own = ++requestNumber;
    while (own === requestNumber) {
      // Compare with the settings on this page: somebody else may have saved since.
      const state = !use.drawing ? use.state : same(use.drawing, settings) ? "used" : "other";
      showStatus((texts[state] || (() => ""))(use.why), state === "refused" || state === "other");
      if (state !== "waiting") return;
      await pause(POLL_MS);
      try {
        use = await request("/camera/use");
      } catch (error) {
        if (error instanceof NoAnswerError) continue; // the error above the picture reports it
        if (own === requestNumber) showStatus(sentence(error.message), true);
        return;
      }
    }
  }

  /** Find out whether `wanted` was saved after a request without an answer: read the saved settings until that succeeds. */
  async function verifySaved(wanted, why) {
    const own = ++requestNumber;
    showStatus(`The settings may not be saved: ${why}. Checking …`, true);
    while (own === requestNumber) {
      try {
        const body = await request("/camera/drawing");
        if (own !== requestNumber) return;
        if (same(body, wanted)) { showSettings(body); followStatus(body.use, SAVED_TEXTS, body); } else showStatus(`Not saved: ${why}.`, true);
        return;
      } catch (error) {
        if (own === requestNumber) showStatus(`The settings may not be saved: ${error.message}. Checking …`, true);
      }
      await pause(RETRY_MS);
    }
  }

  function markChanged() {
    requestNumber += 1;
    showStatus("Not saved yet");
  }

  /** Permit edits, or prevent them: those made before the settings are loaded would be lost. */
  function setEditable(permitted) {
    isEditable = permitted;
    const inputs = ["corners", "undo", "clear", "min-face", "save", "turn", "mirror"].map(element);
    for (const input of [...inputs, ...element("people").querySelectorAll("button")]) input.disabled = !permitted;
  }

  /** Show the settings in an answer of the server. */
  function showSettings(body) {
    zone = body.zone;
    excluded = body.excluded;
    rotate = body.rotate;
    mirror = body.mirror;
    showExcluded();
    minFace = body.min_face;
    slider.value = minFace;
    isMinFaceChanged = false;
    showMinFace();
    writeCorners();
    setEditable(true);
  }
  element("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    requestNumber += 1;
    if (!element("corners-error").hidden) { showStatus("Not saved: a line does not contain a corner.", true); corners.focus(); return; }
    showStatus("Saving …");
    const wanted = { zone, excluded, rotate, mirror };
    if (isMinFaceChanged) wanted.min_face = minFace;
    try {
      const body = await request("/camera/drawing", { method: "POST", body: JSON.stringify(wanted) });
      showSettings(body);
      followStatus(body.use, SAVED_TEXTS, body);
    } catch (error) {
      if (error instanceof NoAnswerError) verifySaved(wanted, error.message);
      else showStatus(sentence(`Not saved: ${error.message}`), true);
    }
  });

  /** Load the saved settings; before that nothing can be edited. */
  async function loadSettings() {
    setEditable(false);
    try {
      const body = await request("/camera/drawing");
      showSettings(body);
      followStatus(body.use, OPENED_TEXTS, body);
    } catch (error) {
      showStatus(sentence(error.message), true);
      setTimeout(loadSettings, RETRY_MS);
    }
  }
  loadSettings();
  showPictures();
}

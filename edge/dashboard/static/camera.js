"use strict";
// What the device sees, and what is drawn on it.
{
  const EVERY_MS = 200, REACH_PX = 14;
  const COLOURS = { no_mask: "#d21e28", incorrect_mask: "#b35c00", mask: "#148c3c" };
  const part = (id) => document.getElementById(id);
  const picture = part("picture"), canvas = part("drawing"), corners = part("corners"), slider = part("min-face");
  const POLL_MS = 400, AGAIN_MS = 2000;
  /** What the device makes of what was saved; of what stood in the file before, if it is news. */
  const SAVED = {
    used: () => "Saved; the device uses it now.",
    waiting: () => "Saved; the device is reading it …",
    refused: (why) => `Saved, but the device refused it and goes on as before: ${why}`,
    other: () => "Saved, but the device uses another zone or smallest face: has somebody saved since, or does it read another file?",
    away: (why) => `Saved. The device is away, and uses it from its next start on: ${why}`,
  };
  const FOUND = {
    refused: (why) => `The device refused what the file says, and goes on as before: ${why}`,
    other: () => "The device uses another zone or smallest face than the file says; saving has it read the file.",
  };
  let zone = [], moved = -1, told = null, minFace = null, faceTouched = false, asked = 0;

  /** The dashboard did not answer, or something else did in its place: what was asked for may be done. */
  class Unanswered extends Error {}

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const sentence = (error) => error.message[0].toUpperCase() + error.message.slice(1);

  /** What it answers; throws Unanswered, or an Error with what it says is wrong. */
  async function ask(address, options) {
    let response, body = {}, json = false;
    try {
      response = await fetch(address, options);
      json = (response.headers.get("content-type") || "").startsWith("application/json");
      if (json) body = await response.json();
    } catch { throw new Unanswered("the dashboard is away"); }
    if (response.status === 401) {
      location.assign("/login?next=/camera");
      throw new Error("log in again");
    }
    if (!json) throw new Unanswered(`the dashboard cannot answer just now (${response.status})`);
    if (!response.ok) throw new Error(body.error);
    return body;
  }

  /** Only what is new is written: each writing is read out to who cannot see it. */
  function say(id, text) {
    if (part(id).textContent !== text) part(id).textContent = text;
  }

  /** Beside the button; `wrong` stands out. */
  function tell(text, wrong) {
    part("saved").className = wrong ? "error" : "more";
    say("saved", text);
  }

  function fail(text) {
    part("camera-error").hidden = !text;
    say("camera-error", text || "");
    if (!text || !told) return;
    told = null;
    say("seen", "The last picture that came");
    draw();
  }

  async function look() {
    try {
      const body = await ask("/camera/view");
      fail(body.nothing ? "No picture just now: the camera is away, or the watch is paused." : "");
      if (body.picture) {
        picture.src = `data:image/jpeg;base64,${body.picture}`;
        told = body;
        showStages(body.stages_ms);
        const people = body.people.length;
        say("seen", people === 0 ? "Nobody in view" : people === 1 ? "1 person in view" : `${people} people in view`);
        draw();
      }
    } catch (error) {
      fail(error instanceof Unanswered ? `${sentence(error)}: trying again …` : error.message);
      await pause(1500);
    }
    setTimeout(look, document.hidden ? 2000 : EVERY_MS);
  }

  function showStages(stages) {
    part("stages").replaceChildren(...Object.entries(stages).map(([name, [median, most]]) => {
      const row = make("tr");
      row.append(make("th", "", name), make("td", "number", `${median.toFixed(1)} ms`), make("td", "number", `${most.toFixed(1)} ms`));
      row.firstChild.scope = "row";
      return row;
    }));
  }

  function draw() {
    const width = canvas.width = canvas.clientWidth, height = canvas.height = canvas.clientHeight;
    const pen = canvas.getContext("2d");
    if (zone.length) {
      // What lies outside is darkened.
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
    pen.lineWidth = 3;
    for (const person of told ? told.people : []) {
      const [x, y, w, h] = person.box.map((v, index) => v * (index % 2 ? height : width));
      const text = `#${person.number} ${person.label ? `${LABELS[person.label] || person.label} ${Math.round(100 * person.score)}%` : "…"}`;
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

  /** Lines that are no corners; nothing is saved while there are any. */
  function tellWrong(lines) {
    const error = part("corners-error");
    error.hidden = !lines.length;
    say("corners-error", lines.length
      ? `Line ${lines.join(", ")} is no corner: write two numbers from 0 to 1, such as 0.25, 0.5` : "");
    corners.setAttribute("aria-invalid", String(lines.length > 0));
  }

  function writeCorners() {
    tellWrong([]);
    corners.value = zone.map(([x, y]) => `${x.toFixed(3)}, ${y.toFixed(3)}`).join("\n");
    change();
    draw();
  }

  function showMinFace() {
    part("min-face-text").textContent = `${(100 * minFace).toFixed(1)}%`;
  }

  corners.addEventListener("input", () => {
    zone = [];
    const wrong = [];
    corners.value.split("\n").forEach((line, number) => {
      const corner = line.split(/[\s,;]+/).filter(Boolean).map(Number);
      if (corner.length === 2 && corner.every((v) => v >= 0 && v <= 1)) zone.push(corner);
      else if (line.trim()) wrong.push(number + 1);
    });
    tellWrong(wrong);
    change();
    draw();
  });
  slider.addEventListener("input", () => { minFace = Number(slider.value); faceTouched = true; showMinFace(); change(); draw(); });

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const clip = (value) => Math.min(1, Math.max(0, Math.round(1000 * value) / 1000));
    return [clip((event.clientX - box.left) / box.width), clip((event.clientY - box.top) / box.height)];
  }
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    moved = zone.findIndex(([cx, cy]) => Math.hypot((cx - x) * canvas.width, (cy - y) * canvas.height) < REACH_PX);
    if (moved < 0) { zone.push([x, y]); moved = zone.length - 1; }
    canvas.setPointerCapture(event.pointerId);
    writeCorners();
  });
  canvas.addEventListener("pointermove", (event) => { if (moved >= 0) { zone[moved] = place(event); writeCorners(); } });
  canvas.addEventListener("pointerup", () => { moved = -1; });
  part("undo").addEventListener("click", () => { zone.pop(); writeCorners(); });
  part("clear").addEventListener("click", () => { zone = []; writeCorners(); });

  const same = (one, other) => JSON.stringify(one.zone) === JSON.stringify(other.zone)
    && (other.min_face === undefined || one.min_face === other.min_face);

  /** Say what the device makes of `here`, again and again until it has decided or all is new here. */
  async function follow(use, texts, here) {
    const mine = ++asked;
    while (mine === asked) {
      // The file may be another's by now: what counts is what this page shows.
      const state = !use.zone ? use.state : same(use, here) ? "used" : "other";
      tell((texts[state] || (() => ""))(use.why), state === "refused" || state === "other");
      if (state !== "waiting") return;
      await pause(POLL_MS);
      try {
        use = await ask("/camera/use");
      } catch (error) {
        if (error instanceof Unanswered) continue; // the picture says that the dashboard is away
        if (mine === asked) tell(error.message, true);
        return;
      }
    }
  }

  /** Nobody has said whether `wanted` was saved: the file does, as soon as it can be asked. */
  async function check(wanted, why) {
    const mine = ++asked;
    tell(`Perhaps not saved: ${why}. Looking …`, true);
    while (mine === asked) {
      try {
        const body = await ask("/camera/drawing");
        if (mine !== asked) return;
        if (same(body, wanted)) { take(body); follow(body.use, SAVED, body); } else tell(`Not saved: ${why}.`, true);
        return;
      } catch (error) {
        if (mine === asked) tell(`Perhaps not saved: ${error.message}. Looking …`, true);
      }
      await pause(AGAIN_MS);
    }
  }

  function change() {
    asked += 1;
    tell("Not saved");
  }

  function take(body) {
    zone = body.zone;
    minFace = body.min_face;
    slider.value = minFace;
    faceTouched = false;
    showMinFace();
    writeCorners();
    part("save").disabled = !body.can_save;
  }
  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    asked += 1;
    if (!part("corners-error").hidden) { tell("Not saved: a line is no corner.", true); corners.focus(); return; }
    tell("Saving …");
    const wanted = { zone };
    if (faceTouched) wanted.min_face = minFace;
    try {
      const body = await ask("/camera/drawing", { method: "POST", body: JSON.stringify(wanted) });
      take(body);
      follow(body.use, SAVED, body);
    } catch (error) {
      if (error instanceof Unanswered) check(wanted, error.message);
      else tell(`Not saved: ${error.message}`, true);
    }
  });

  /** Nothing is saved before it is known what stands in the file. */
  async function begin() {
    part("save").disabled = true;
    try {
      const body = await ask("/camera/drawing");
      take(body);
      if (body.can_save) follow(body.use, FOUND, body);
      else tell("Start the dashboard with --config FILE to save.");
    } catch (error) {
      tell(error instanceof Unanswered ? `${sentence(error)}.` : error.message, true);
      setTimeout(begin, AGAIN_MS);
    }
  }
  begin();
  look();
}

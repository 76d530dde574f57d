"use strict";
// The webcam: sends frames to the dashboard, two at a time, and draws the boxes of the answers.
{
  const WIDTH = 640, QUALITY = 0.8, COLOURS = { no_mask: "#d21e28", incorrect_mask: "#b35c00", mask: "#148c3c", unsure: "#696969" };
  const byName = (id) => document.getElementById(id);
  const button = byName("webcam"), video = byName("video"), overlay = byName("overlay");
  let stream = null, times = [], captured = 0, shown = 0;

  function fail(text) {
    byName("webcam-error").hidden = !text;
    byName("webcam-error").textContent = text;
  }

  async function start() {
    fail("");
    if (!navigator.mediaDevices) {
      fail("Browsers allow camera access only on https pages and on localhost. Open the dashboard at such an address.");
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    } catch (error) {
      fail(error.name === "NotAllowedError" ? "The browser was not allowed to use the camera. Allow it in the settings of this page."
        : error.name === "NotFoundError" ? "No camera was found." : `The camera cannot be used: ${error.message}`);
      return;
    }
    video.srcObject = stream;
    await video.play();
    byName("stage").hidden = false;
    button.textContent = "Stop the webcam";
    times = [];
    // Two loops: while the server checks one frame, the browser prepares the next.
    run(stream);
    run(stream);
  }

  function stop() {
    if (stream) for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    byName("stage").hidden = true;
    byName("webcam-rate").textContent = "";
    byName("webcam-faces").replaceChildren();
    button.textContent = "Start the webcam";
  }

  async function run(own) {
    const still = document.createElement("canvas");
    while (stream === own) {
      const number = ++captured;
      const scale = Math.min(1, WIDTH / video.videoWidth);
      still.width = Math.round(video.videoWidth * scale);
      still.height = Math.round(video.videoHeight * scale);
      still.getContext("2d").drawImage(video, 0, 0, still.width, still.height);
      const blob = await new Promise((done) => still.toBlob(done, "image/jpeg", QUALITY));
      try {
        const response = await fetch("/check/frame", { method: "POST", body: blob, headers: { "x-name": "the frame" } });
        if (response.status === 401) { logIn(); return; }
        const body = await response.json();
        if (stream !== own) return;
        if (response.ok) { fail(""); if (number > shown) { shown = number; show(body); } } else { fail(body.error); await pause(500); }
      } catch {
        if (stream !== own) return;
        fail("The dashboard does not answer. Retrying …");
        await pause(1000);
      }
    }
  }

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  function show(body) {
    times.push(performance.now());
    times = times.slice(-20);
    if (times.length > 2) {
      const rate = 1000 * (times.length - 1) / (times[times.length - 1] - times[0]);
      byName("webcam-rate").textContent = `${rate.toFixed(1)} frames per second`;
    }
    overlay.width = body.width;
    overlay.height = body.height;
    const draw = overlay.getContext("2d");
    draw.lineWidth = Math.max(2, body.width / 200);
    draw.font = `bold ${Math.round(body.width / 32)}px sans-serif`;
    for (const [index, face] of body.faces.entries()) {
      const [x, y, w, h] = face.box, text = numbered(body.faces, index, labelWithScore(face));
      draw.strokeStyle = draw.fillStyle = COLOURS[face.label] || "#333";
      draw.strokeRect(x, y, w, h);
      const line = body.width / 24, top = y > line ? y - line : y + h;
      draw.fillRect(x - draw.lineWidth / 2, top, draw.measureText(text).width + 12, line);
      draw.fillStyle = "#fff";
      draw.fillText(text, x + 5, top + 0.75 * line);
    }
    listFaces(byName("webcam-faces"), body.faces);
    overlay.dataset.frames = Number(overlay.dataset.frames || 0) + 1;
    overlay.dataset.faces = JSON.stringify(body.faces.map((face) => face.label));
  }

  button.addEventListener("click", () => (stream ? stop() : start()));
}

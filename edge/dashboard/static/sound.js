"use strict";
// The sound of the live page: whether it is on is remembered, and a notice says when the browser refuses it.

/** Play the sound of a new alert, if it is turned on. */
let beep;

{
  const KEY = "mask_patrol_sound";
  /** A sound that is allowed takes this long to start, in which the page does not say that it is refused. */
  const START_MS = 500;
  const box = document.getElementById("sound"), blocked = document.getElementById("sound-blocked");
  let audio = null;

  /** A link may turn the sound of a display on or off (`?sound=on`), because a display may have neither mouse nor keyboard. */
  const given = new URLSearchParams(location.search).get("sound");
  let stored = null;
  try {
    if (given === "on" || given === "off") localStorage.setItem(KEY, given);
    stored = localStorage.getItem(KEY);
  } catch { stored = given; /* the browser refuses storage */ }

  /** Browsers play no sound on a page before the user has clicked on it or pressed a key. */
  const showBlocked = () => { blocked.hidden = !box.checked || !audio || audio.state === "running"; };

  /** Prepare the sound, and wait until the browser allows it. */
  async function enable() {
    if (!box.checked) return;
    if (!audio) {
      audio = new AudioContext();
      audio.addEventListener("statechange", showBlocked);
    }
    setTimeout(showBlocked, START_MS);
    if (audio.state !== "running") await audio.resume();
  }

  beep = () => {
    if (!box.checked || !audio) return;
    if (audio.state !== "running") { enable(); return; }
    for (const [at, pitch] of [[0, 880], [0.18, 1175]]) {
      const tone = audio.createOscillator(), volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.25, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.16);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.17);
    }
  };

  box.addEventListener("change", async () => {
    try { localStorage.setItem(KEY, box.checked ? "on" : "off"); } catch { /* not remembered */ }
    showBlocked();
    await enable();
    beep(); // this is how it sounds
  });
  for (const kind of ["pointerup", "keydown"]) document.addEventListener(kind, enable);
  box.checked = stored === "on";
  enable();
}

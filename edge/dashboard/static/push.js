"use strict";
// The switch with which this browser receives notifications by Web Push.
{
  const box = document.getElementById("push");
  const button = document.getElementById("push-switch"), text = document.getElementById("push-state");
  const TEXTS = {
    on: "This browser receives the notifications.",
    off: "This browser does not receive the notifications.",
    insecure: "Browsers receive notifications only from pages with https, or on the dashboard's own machine as localhost.",
    unsupported: "This browser does not support notifications. On an iPhone or iPad, add this page to the home screen first.",
    denied: "Notifications of this page are blocked in the settings of the browser.",
  };

  function show(state, failure) {
    button.hidden = !(state === "on" || state === "off");
    button.textContent = state === "on" ? "Disable in this browser" : "Enable in this browser";
    button.disabled = false;
    text.textContent = failure || TEXTS[state];
    text.className = failure ? "error" : "more";
    box.dataset.state = state;
  }

  function bytesOf(base64url) {
    const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(text, (char) => char.charCodeAt(0));
  }

  async function send(path, body) {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error || `error ${response.status}`);
  }

  /** Whether the subscription belongs to the present key of the dashboard. */
  function hasKey(subscription) {
    const used = new Uint8Array(subscription.options.applicationServerKey || []);
    return String(used) === String(bytesOf(box.dataset.key));
  }

  async function current() {
    const registration = await navigator.serviceWorker.getRegistration("/");
    const subscription = await registration?.pushManager.getSubscription();
    return subscription && hasKey(subscription) ? subscription : null;
  }

  async function enable() {
    const registration = await navigator.serviceWorker.register("/service-worker.js", { scope: "/" });
    await navigator.serviceWorker.ready;
    if (await Notification.requestPermission() !== "granted") return show("denied");
    const old = await registration.pushManager.getSubscription();
    if (old && !hasKey(old)) await old.unsubscribe();
    const subscription = await registration.pushManager.subscribe({
      userVisibleOnly: true, applicationServerKey: bytesOf(box.dataset.key),
    });
    await send("/notifications/push", subscription);
    show("on");
  }

  async function disable() {
    const subscription = await current();
    if (subscription) {
      await subscription.unsubscribe();
      await send("/notifications/push/end", { endpoint: subscription.endpoint });
    }
    show("off");
  }

  async function toggle() {
    const before = box.dataset.state;
    button.disabled = true;
    try { await (before === "on" ? disable() : enable()); }
    catch (error) { show(before, `This did not work: ${error.message || error}`); }
  }

  async function start() {
    if (!window.isSecureContext) return show("insecure");
    if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return show("unsupported");
    if (Notification.permission === "denied") return show("denied");
    const subscription = await current();
    // The dashboard may have forgotten this browser, or have another database now.
    if (subscription) await send("/notifications/push", subscription);
    show(subscription ? "on" : "off");
  }
  button.addEventListener("click", toggle);
  start().catch((error) => show("off", `This did not work: ${error.message || error}`));
}

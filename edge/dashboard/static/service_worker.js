"use strict";
// Shows the messages of Web Push, also while no page of the dashboard is open. It stores no pages.

self.addEventListener("push", (event) => {
  let message = {};
  try { message = event.data.json(); } catch { /* a browser requires a notification for each message */ }
  event.waitUntil(self.registration.showNotification(message.title || "Mask Patrol", {
    body: message.body || "Open the dashboard for details.",
    // A message that arrives twice replaces the first one.
    tag: message.tag || "mask-patrol",
    icon: "/static/icon-192.png",
    data: { page: "/" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const open = pages.find((page) => new URL(page.url).pathname === event.notification.data.page);
    await (open ? open.focus() : self.clients.openWindow(event.notification.data.page));
  })());
});

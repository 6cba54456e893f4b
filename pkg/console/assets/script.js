// Live refresh, times in the reader's zone, and copying. All pages work without it.
"use strict";

// localTimes writes times in the reader's zone; UTC stays in their titles.
function localTimes(root) {
  const today = new Date().toDateString();
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const day = at.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
    t.textContent = at.toDateString() === today ? clock : day + ", " + clock;
  }
}

function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const b of root.querySelectorAll("button.copy")) b.hidden = false;
}

function prepare(root) {
  localTimes(root);
  copyButtons(root);
}

document.addEventListener("click", async (event) => {
  const b = event.target.closest("button.copy");
  if (!b) return;
  await navigator.clipboard.writeText(b.dataset.copy);
  b.textContent = "Copied";
  setTimeout(() => { b.textContent = "Copy"; }, 1500);
});

// busy says that refreshing a part of the page would disturb somebody.
function busy(part) {
  const selection = document.getSelection();
  return part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button, a") ||
    selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

let fetching = false, again = false;

// refresh fetches the page and replaces those of its live parts that differ.
async function refresh() {
  if (document.hidden) { again = true; return; }
  if (fetching) { again = true; return; }
  fetching = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.querySelector('[data-live="' + part.dataset.live + '"]');
      if (!fresh || part.dataset.was === fresh.innerHTML) continue;
      if (busy(part)) { again = true; continue; }
      part.dataset.was = fresh.innerHTML;
      part.replaceChildren(...document.importNode(fresh, true).childNodes);
      prepare(part);
    }
    const nav = page.querySelector("nav");
    if (nav) document.querySelector("nav").replaceChildren(...document.importNode(nav, true).childNodes);
    document.title = page.title;
  } catch {
    // The console is gone, or the network: the stream says when it is back.
  } finally {
    fetching = false;
  }
}

let stream;

function follow() {
  const live = document.getElementById("live");
  if (!live || !document.querySelector("[data-live]")) return;
  if (document.hidden) {
    if (stream) stream.close();
    stream = undefined;
    return;
  }
  if (stream) return;
  stream = new EventSource("/news");
  stream.onopen = () => { live.hidden = false; live.textContent = "live"; };
  stream.onerror = () => { live.textContent = "not connected"; };
  stream.onmessage = refresh;
}

document.addEventListener("visibilitychange", () => {
  follow();
  if (!document.hidden && stream) refresh();
});
document.addEventListener("focusout", () => { if (again) setTimeout(refresh, 300); });
addEventListener("pagehide", () => { if (stream) stream.close(); stream = undefined; });
addEventListener("pageshow", follow);

for (const part of document.querySelectorAll("[data-live]")) part.dataset.was = part.innerHTML;
prepare(document);
follow();

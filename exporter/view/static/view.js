// Everything here also works without it, by links: this makes lists endless, and gives keys.
"use strict";
const $ = (found, root = document) => root.querySelector(found);
const all = (found, root = document) => [...root.querySelectorAll(found)];
const KEEP = 6; // parts of a conversation that stay in the page

async function piece(address) {
  const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Light and dark: as the system is, or as chosen.
function theme(next) {
  const root = document.documentElement;
  if (next) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    document.cookie = `exporter-theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=strict`;
  }
}

// The list goes on when its end comes near.
const list = $("#list");
const near = (root, run) => new IntersectionObserver((seen) => {
  for (const one of seen) if (one.isIntersecting) run(one.target);
}, { root, rootMargin: "600px" });
const more = list && near(getComputedStyle(list).overflowY === "auto" ? list : null, longer);

async function longer(link) {
  if (link.dataset.busy) return;
  link.dataset.busy = "1";
  more.unobserve(link);
  try {
    const next = await piece(link.dataset.more);
    const last = all("h2", list).pop();
    const first = $("h2", next);
    if (last && first && last.textContent === first.textContent) {
      last.nextElementSibling.append(...all("li", first.nextElementSibling));
      first.nextElementSibling.remove();
      first.remove();
    }
    const back = $("a.first", next);
    if (back) back.remove();
    link.replaceWith(...next.body.children);
    mark();
    watch();
  } catch {
    delete link.dataset.busy; // the link itself still works
  }
}

function watch() {
  for (const link of all("a.more[data-more]", list || document)) more.observe(link);
}

// A conversation goes on likewise, in both directions; what is far away leaves the page.
const parts = near(null, (link) => join(link));

async function join(link) {
  if (link.dataset.busy) return;
  link.dataset.busy = "1";
  const bar = link.closest("nav");
  const here = bar.closest(".part");
  const before = bar.classList.contains("earlier");
  try {
    const next = document.adoptNode($(".part", await piece(link.dataset.part)));
    if (!here.isConnected) return;
    const first = $("article", here) ?? here;
    const top = first.getBoundingClientRect().top;
    $(before ? "nav.later" : "nav.earlier", next)?.remove();
    next.dataset.fresh = ""; // laid out in full once, so that its height is known
    requestAnimationFrame(() => requestAnimationFrame(() => delete next.dataset.fresh));
    if (before) here.before(next);
    else here.after(next);
    bar.remove();
    dress(next);
    if (before) window.scrollBy(0, first.getBoundingClientRect().top - top); // what is read stays where it is
    thin(before);
    follow();
  } catch {
    delete link.dataset.busy;
  }
}

// Take a part away at the other end, and leave the link by which it comes back.
function thin(before) {
  const shown = all("#transcript > .part");
  if (shown.length <= KEEP) return;
  const gone = before ? shown[shown.length - 1] : shown[0];
  const next = before ? shown[shown.length - 2] : shown[1];
  const top = next.getBoundingClientRect().top;
  const bar = $("#bars").content.firstElementChild.cloneNode(true);
  const [link, end] = bar.children;
  const base = $("#transcript").dataset.base;
  const at = before ? `from=${gone.dataset.begin}` : `before=${gone.dataset.end}`;
  const mark = base.includes("?") ? "&" : "?";
  bar.className = before ? "later" : "earlier";
  link.textContent = before ? "Later" : "Earlier";
  link.href = `/t${base}${mark}${at}`;
  link.dataset.part = `/part${base}${mark}${at}`;
  end.textContent = before ? "To the end" : "To the beginning";
  end.href = `/t${base}${mark}${before ? `before=${$("#transcript").dataset.count}` : "from=0"}`;
  if (before) next.append(bar);
  else next.prepend(bar);
  gone.remove();
  if (!before) window.scrollBy(0, next.getBoundingClientRect().top - top);
}

function follow() {
  parts.disconnect();
  for (const link of all("#transcript [data-part]")) parts.observe(link);
}

// Code can be copied.
function dress(root) {
  for (const block of all(".said pre", root)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText($("code", block)?.textContent ?? "");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
}

// Another conversation takes the place of this one; the list stays where it is.
const wide = matchMedia("(min-width: 50.01rem)");

async function go(address, push = true) {
  try {
    const next = await piece(address);
    const page = $("main", next);
    if (!page || !$("#side", next)) throw new Error("another kind of page");
    if (push) history.pushState({}, "", address);
    document.title = next.title;
    document.body.className = next.body.className;
    $("main").replaceWith(document.adoptNode(page));
    begin();
    if (!toAnchor()) scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
  } catch {
    location.assign(address);
  }
}

function toAnchor() {
  const found = location.hash.startsWith("#m-") && document.getElementById(location.hash.slice(1));
  if (!found) return false;
  for (const one of all("article.at")) one.classList.remove("at");
  found.classList.add("at");
  found.scrollIntoView();
  return true;
}

function mark() {
  const now = document.documentElement && location.pathname;
  for (const link of all("#list li a")) {
    if (new URL(link.href).pathname === now) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function begin() {
  dress($("main"));
  follow();
  mark();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#list li a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || !wide.matches) return;
  event.preventDefault();
  go(link.href);
});
addEventListener("popstate", () => go(location.href, false));

// Keys.
function step(by) {
  const links = all("#list li a");
  const now = links.findIndex((link) => link.hasAttribute("aria-current"));
  const next = links[now < 0 ? 0 : now + by];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  if (wide.matches) go(next.href);
  else location.assign(next.href);
}

function stride(by) {
  const shown = all("#transcript article, #results article");
  const tops = shown.map((one) => one.getBoundingClientRect().top - parseFloat(getComputedStyle(one).scrollMarginTop));
  const at = by > 0 ? tops.findIndex((top) => top > 4) : tops.findLastIndex((top) => top < -4);
  shown[at]?.scrollIntoView();
}

function unfold() {
  const folds = all("main details");
  const open = folds.some((one) => !one.open);
  for (const one of folds) one.open = open;
}

const KEYS = {
  "/": () => ($("#search input") ? $("#search input").focus() : location.assign("/search")),
  "?": () => $("#help")?.showModal(),
  f: () => $("#filter input")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  n: () => stride(1),
  p: () => stride(-1),
  e: unfold,
  t: () => theme(true),
};

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape" && field) field.blur();
  if (field || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]") || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

const button = $("#theme");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => theme(true));
}
history.scrollRestoration = "manual";
if (list) watch();
begin();
if (!toAnchor()) $("#list [aria-current]")?.scrollIntoView({ block: "nearest" });

// A page whose script or style did not arrive, as on a network that changes, stays empty. This loads it again, once it can be had.
// A module that is loaded on demand is reported by the event `not-loaded`.
const missing = () => {
  if (document.querySelector("#not-loaded")) return;
  const notice = Object.assign(document.createElement("p"), { id: "not-loaded", className: "notice", role: "alert" });
  notice.textContent = "A part of this page did not arrive. It is loaded again.";
  const show = () => document.body.prepend(notice);
  if (document.body) show();
  else addEventListener("DOMContentLoaded", show);
  const tries = Number(sessionStorage.getItem("loads")) || 0;
  let wait = Math.min(60, 2 ** tries) * (500 + Math.random() * 500);
  const again = async () => {
    const there = await fetch(location.href, { cache: "no-store" }).then((answer) => answer.ok, () => false);
    if (there) location.reload();
    else setTimeout(again, (wait = Math.min(60000, 2 * wait)));
  };
  sessionStorage.setItem("loads", tries + 1);
  setTimeout(again, wait);
};
addEventListener("not-loaded", missing);
addEventListener("error", ({ target }) => {
  const style = target instanceof HTMLLinkElement && target.rel === "stylesheet";
  if (style || target instanceof HTMLScriptElement) missing();
}, true);
// What is loaded on demand may be missing after the page is loaded.
addEventListener("load", () => setTimeout(() => document.querySelector("#not-loaded") || sessionStorage.removeItem("loads"), 5000));

// A page made in Python. What is clicked tells Python its data-pick; keys stay inside the panel it belongs to.
function render({ model, el }) {
  el.classList.add("ar");
  el.setAttribute("role", "region");
  el.setAttribute("aria-label", model.get("name"));
  if (model.get("height")) el.setAttribute("tabindex", "0"); // so that arrow keys scroll it
  const show = () => {
    const open = [...el.querySelectorAll("details")].map((fold) => fold.open);
    const focused = document.activeElement?.closest?.("[data-pick]")?.dataset.pick;
    el.innerHTML = model.get("body"); // escaped in Python
    el.style.setProperty("--ar-height", model.get("height") + "px"); // max-height itself belongs to the widget's layout
    if (open.length === el.querySelectorAll("details").length)
      el.querySelectorAll("details").forEach((fold, i) => { fold.open = open[i]; });
    el.classList.toggle("ar-scroll", Boolean(model.get("height")));
    if (model.get("tail")) el.scrollTop = el.scrollHeight;
    if (focused) [...el.querySelectorAll("[data-pick]")].find((node) => node.dataset.pick === focused)?.focus();
  };
  el.addEventListener("click", (event) => {
    const picked = event.target.closest("[data-pick]");
    if (picked) {
      model.send({ picked: picked.dataset.pick });
    }
  });
  const suppress = () => (el.closest(".ar-panel") ?? el).setAttribute("data-lm-suppress-shortcuts", "true");
  requestAnimationFrame(suppress); // now the element is in the document
  model.on("change:body", show);
  show();
  return () => model.off("change:body", show);
}

export default { render };

// Every figure opens large in a dialog: by its button, or by a click on the picture. Escape closes
// it and the focus returns to the button. Without this script the figures are as large as the page.
(() => {
  "use strict";

  const button = (className, text) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = className;
    made.textContent = text;
    return made;
  };

  function makeDialog() {
    const dialog = document.createElement("dialog");
    dialog.className = "chestkd-dialog";
    const bar = document.createElement("div");
    bar.className = "chestkd-dialog-bar";
    const title = document.createElement("span");
    title.id = "chestkd-dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    const size = button("chestkd-dialog-size", "Full size");
    const close = button("chestkd-dialog-close", "Close");
    const content = document.createElement("div");
    content.className = "chestkd-dialog-content";
    content.tabIndex = 0;
    content.setAttribute("role", "group");
    content.setAttribute("aria-labelledby", title.id);
    bar.append(title, size, close);
    dialog.append(bar, content);
    document.body.append(dialog);

    const show = (large) => {
      dialog.classList.toggle("large", large);
      size.setAttribute("aria-pressed", String(large));
    };
    size.addEventListener("click", () => show(!dialog.classList.contains("large")));
    close.addEventListener("click", () => dialog.close());
    // The theme takes the key from the browser, for its search.
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
    // The dialog itself is hit only beside what it holds.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => content.replaceChildren());
    return { dialog, title, content, show };
  }

  // A second figure of the same page: its ids, and the names of its radio buttons, are its own.
  function copyOf(figure) {
    const copy = figure.cloneNode(true);
    copy.querySelectorAll(".chestkd-enlarge, .headerlink").forEach((each) => each.remove());
    for (const element of [copy, ...copy.querySelectorAll("[id], [for], [name]")]) {
      for (const attribute of ["id", "for", "name"]) {
        if (element.hasAttribute(attribute)) {
          element.setAttribute(attribute, `${element.getAttribute(attribute)}-enlarged`);
        }
      }
    }
    return copy;
  }

  function enhance(figure, opened) {
    const number = figure.querySelector(".caption-number")?.textContent.replace(/\.$/, "");
    const opener = button("chestkd-enlarge", "Enlarge");
    opener.setAttribute("aria-label", `Enlarge ${number ?? figure.id}`);
    opener.setAttribute("aria-haspopup", "dialog");
    const pictures = [...figure.querySelectorAll(".stack, :scope > img")];

    const open = (at) => {
      // The dialog gives the focus back to what had it.
      opener.focus({ preventScroll: true });
      const { dialog, title, content, show } = opened();
      const shown = figure.querySelector("input:checked")?.id;
      title.textContent = number ?? figure.id;
      content.replaceChildren(copyOf(figure));
      // Radio buttons of the original lose their state to a copy with the same name; set both.
      if (shown) {
        document.getElementById(shown).checked = true;
        document.getElementById(`${shown}-enlarged`).checked = true;
      }
      dialog.showModal();
      const image = content.querySelector("img");
      const gains = image.clientWidth > 1.15 * (pictures[0]?.clientWidth ?? 0);
      show(at > 0 || !gains);
      content.querySelectorAll(".stack")[at]?.scrollIntoView({ block: "center" });
      content.focus({ preventScroll: true });
    };

    figure.querySelector("figcaption").before(opener);
    opener.addEventListener("click", () => open(0));
    pictures.forEach((picture, at) => {
      picture.classList.add("chestkd-enlarges");
      picture.addEventListener("click", () => open(at));
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    let made = null;
    const opened = () => (made ??= makeDialog());
    document.querySelectorAll(".chestkd-figure").forEach((figure) => enhance(figure, opened));
  });
})();

// The menu of a track: one popover for all rows, filled when it opens.

import { element, make } from "./dom.js";

let opener = null;

// Shows actions, pairs of a name and a function, below a button.
export function openMenu(button, actions) {
  const menu = element("menu");
  if (opener === button && menu.matches(":popover-open")) {
    menu.hidePopover();
    return;
  }
  opener = button;
  menu.replaceChildren(...actions.map(([name, run]) => make("button", { role: "menuitem", type: "button", text: name, on: {
    click: () => { menu.hidePopover(); run(); },
  } })));
  menu.showPopover();
  const { bottom, right, top } = button.getBoundingClientRect(), { offsetWidth, offsetHeight } = menu;
  const below = bottom + offsetHeight + 4 <= innerHeight;
  menu.style.left = `${Math.max(4, Math.min(right - offsetWidth, innerWidth - offsetWidth - 4))}px`;
  menu.style.top = `${Math.max(4, below ? bottom + 2 : top - offsetHeight - 2)}px`;
  menu.firstChild?.focus();
}

export function startMenu() {
  const menu = element("menu");
  menu.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key], all = [...menu.children];
    if (event.key === "Tab") menu.hidePopover();
    if (!by) return;
    all[(all.indexOf(document.activeElement) + by + all.length) % all.length].focus();
    event.preventDefault();
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "closed" && (menu.contains(document.activeElement) || document.activeElement === document.body)) opener?.focus();
  });
}

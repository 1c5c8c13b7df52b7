// The key of a service that asks for one: kept in this tab's session storage, sent to this host only.

const NAME = "narrascope-key";
let asking = null;

/** Return the headers that carry the key; none where there is no key. */
export function authorization() {
  const key = sessionStorage.getItem(NAME);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/**
 * Ask for a key, and return whether there is another now than the one that was `sent`.
 *
 * Requests that are refused together ask once.
 */
export function newKey(sent, refused) {
  if (authorization().Authorization !== sent.Authorization) {
    sent.Authorization = authorization().Authorization;
    return Promise.resolve(true);
  }
  asking ??= askUser(refused).finally(() => (asking = null));
  return asking.then((given) => {
    sent.Authorization = authorization().Authorization;
    return given;
  });
}

function askUser(refused) {
  const dialog = document.getElementById("key-dialog");
  const field = document.getElementById("key-field");
  document.getElementById("key-why").textContent = refused ?? "This service needs an API key.";
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      const key = field.value.trim();
      field.value = "";
      const given = dialog.returnValue === "send" && /^[!-~]+$/.test(key);
      if (given) sessionStorage.setItem(NAME, key);
      showForget();
      answer(given);
    }, { once: true });
  });
}

/** Offer to forget the key, where there is one. */
export function showForget() {
  const button = document.getElementById("forget-key");
  button.hidden = !sessionStorage.getItem(NAME);
  button.onclick = () => {
    sessionStorage.removeItem(NAME);
    location.reload();
  };
}

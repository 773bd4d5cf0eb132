"""Visits the console as a person does, in a real browser: every page, every action, with axe-core and the browser's own console.

Arguments: the console's URL, user and password, a queue with a hostile name, a directory for screenshots.
"""

import json
import pathlib
import sys
import urllib.parse

import axe_core_python
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

console, user, password, hostile, shots = sys.argv[1:]
AXE = (pathlib.Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
PAGE_BYTES_MAX = 64 << 10
PATIENCE = 30


def browser(scripts=True):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


chrome = browser()


def find(selector):
    return chrome.find_element(By.CSS_SELECTOR, selector)


def text():
    return find("main").text


def go(path):
    chrome.get(console + path)


def wait(what, condition):
    WebDriverWait(chrome, PATIENCE).until(lambda _: condition(), what)


def complaints():
    return [entry["message"] for entry in chrome.get_log("browser")]


def judge(name):
    """Axe, the browser's console, the page's weight, and its width on a narrow screen, in both colours."""
    assert not complaints(), (name, complaints())
    chrome.execute_script(AXE)
    for scheme in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        found = chrome.execute_async_script("axe.run().then(arguments[0], arguments[0])")
        assert isinstance(found, dict) and "violations" in found, found
        bad = [(it["id"], it["impact"], [node["html"] for node in it["nodes"]]) for it in found["violations"]]
        assert not bad, (name, scheme, json.dumps(bad, indent=1))
        chrome.save_screenshot(f"{shots}/{name}-{scheme}.png")
    size = chrome.execute_script(
        "return performance.getEntries().map(it => it.transferSize || 0).reduce((one, other) => one + other, 0)"
    )
    assert size < PAGE_BYTES_MAX, (name, size)
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    )
    wide = chrome.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 360, (name, wide)
    chrome.save_screenshot(f"{shots}/{name}-narrow.png")
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def fill(**fields):
    for name, value in fields.items():
        field = find(f"main [name={name}]")
        field.clear()
        field.send_keys(value)


def press():
    find("main form[method=post] button").click()


def log_in(with_password):
    fill(user=user, password=with_password)
    press()


def send(queue, body, **more):
    go("/admin/send")
    find("details summary").click()
    fill(name=queue, body=body, **more)
    press()
    wait("a message is sent", lambda: "was sent to the queue" in text())


def visit():
    go("/admin/queues?name=visit")
    assert "/login?to=" in chrome.current_url, chrome.current_url
    judge("login")
    log_in("wrong")
    wait("the login is refused", lambda: "User name or password is invalid" in text())
    complaints()  # The browser complains about the code of that answer.
    log_in(password)
    wait("the way leads back", lambda: chrome.current_url.endswith("/admin/queues?name=visit"))
    cookie = next(it for it in chrome.get_cookies() if it["name"].startswith("quorate-"))
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
    assert chrome.execute_script("return document.cookie") == ""


def pages():
    for name, path in {
        "overview": "/",
        "queues": "/admin/queues",
        "topics": "/admin/topics",
        "subscriptions": "/admin/subscriptions",
        "connections": "/admin/connections",
        "group": "/admin/group",
        "send": "/admin/send",
        "sorted": "/admin/queues?sort=size&name=s",
        "queue": "/admin/queue?" + urllib.parse.urlencode({"name": hostile}),
    }.items():
        go(path)
        assert len(chrome.find_elements(By.TAG_NAME, "h1")) == 1, path
        judge(name)


def messages():
    go("/admin/queues")
    find("main a[href*='script']").click()
    find("main a[href^='/admin/messages']").click()
    wait("the hostile queue is browsed", lambda: "Messages of" in text())
    assert "<script>" in find("h1").text
    judge("hostile")
    send("visited", '{"order": [1, 2]}', priority="9", properties="kind=<b>order</b>\ncount=3", correlation_id="c-1")
    judge("sent")
    send("visited", "<script>document.title = 'taken'</script>")
    go("/admin/messages?queue=visited")
    assert "Messages 1 to 2" in text(), text()
    judge("messages")
    fill(selector="JMSPriority = 9")
    find("main form[role=search] button").click()
    wait("a selector selects", lambda: "Messages 1 to 1 that the selector selects" in text())
    find("tbody th a").click()
    wait("a message is shown", lambda: "Correlation id" in text())
    assert '"order": [\n' in text() and "<b>order</b>" in text() and "c-1" in text(), text()
    judge("message")
    go("/admin/messages?queue=visited&after=1")
    find("tbody th a").click()
    assert "<script>document.title = 'taken'</script>" in text() and "taken" not in chrome.title, text()
    judge("script")


def live():
    """What another window sends shows by itself."""
    go("/admin/queues?name=visited")
    pending = lambda: find("tbody td.n").text
    assert pending() == "2", pending()
    first = chrome.current_window_handle
    chrome.switch_to.new_window("tab")
    send("visited", "third")
    chrome.close()
    chrome.switch_to.window(first)
    wait("the list follows", lambda: pending() == "3")
    assert "Stop following changes" in find("footer").text
    judge("live")


def changes():
    go("/admin/queue?name=visited")
    find("main a[href^='/admin/purge']").click()
    assert text().count("3 messages wait in visited") == 1, text()
    judge("purge")
    press()
    wait("the queue is purged", lambda: "3 messages of visited are gone" in text())
    go("/admin/queue?name=visited")
    assert find("dd").text == "0"
    go("/admin/subscriptions")
    find("main a[href^='/admin/remove']").click()
    assert "will be removed" in text()
    judge("remove")
    press()
    wait("the subscription is removed", lambda: "is removed" in text())
    go("/admin/subscriptions")
    assert "0 durable subscriptions" in text(), text()
    go("/admin/step-down")
    assert "there is no other voter to hand over to" in text(), text()
    complaints()  # About the code of that answer.


def leave():
    find("header form button").click()
    wait("the session is over", lambda: chrome.current_url.endswith("/login"))
    go("/admin/queues")
    assert "/login?to=" in chrome.current_url, chrome.current_url
    assert not complaints(), complaints()


def without_scripts():
    global chrome
    chrome.quit()
    chrome = browser(scripts=False)
    go("/admin/queues")
    log_in(password)
    wait("the way leads back", lambda: chrome.current_url.endswith("/admin/queues"))
    assert "visited" in text() and "following" not in find("footer").text, text()


try:
    visit()
    pages()
    messages()
    live()
    changes()
    leave()
    without_scripts()
except BaseException:
    chrome.save_screenshot(f"{shots}/failed.png")
    print(chrome.current_url, chrome.title, text()[:2000], file=sys.stderr)
    raise
finally:
    chrome.quit()

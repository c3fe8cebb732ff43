"""A picture of the page as a server shows it: python tests/web/screenshot.py URL FILE.png [TEXT]"""

import base64
import sys
import time

from page_support import Page

TEXT = "An unhurried, generous film that earns every tear, though the ending let me down."
WIDTH = 960


def main(url, file, text=TEXT):
    from conftest import FLAGS
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        page = Page(driver)
        page.size(WIDTH, 900)
        page.media("light", motion="reduce")
        page.open(url)
        page.one(".card")
        page.write(text)
        page.judged(len(page.all(".card")))
        time.sleep(0.5)  # until what was faded is not
        height = page.js("return document.querySelector('.foot').offsetTop")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
        picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        with open(file, "wb") as out:
            out.write(base64.b64decode(picture["data"]))
    finally:
        driver.quit()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""Waits for ever for something while it is imported."""

import time


def wait_for_the_database():
    time.sleep(3600)


wait_for_the_database()

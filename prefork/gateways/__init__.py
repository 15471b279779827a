"""From a request to an application's answer."""

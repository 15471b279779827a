#!/bin/sh
# What Apache runs: its own process is the one that waits for us.

note() {
    echo "$1 $PPID" >>"$(dirname "$0")/seen"
}

case $PATH_INFO in
/sleep)
    note sleep
    sleep "$QUERY_STRING"
    ;;
/hang)
    note hang
    sleep 60
    ;;
esac
printf 'Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s' ${#VERSION} "$VERSION"

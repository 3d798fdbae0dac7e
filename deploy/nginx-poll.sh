#!/bin/sh
# Lists the instances that are ready in a file that nginx includes, and reloads nginx when the list changes.
# nginx-poll.sh FILE RELOAD_COMMAND HOST:PORT...
file=$1
reload=$2
shift 2
known=
while true; do
    ready=
    for instance in "$@"; do
        if curl -fs -o /dev/null --max-time 1 "http://$instance/health/ready"; then
            ready="${ready}server $instance;
"
        fi
    done
    # When none is ready the list stays: nginx does not start with an empty one.
    if [ -n "$ready" ] && [ "$ready" != "$known" ]; then
        printf '%s' "$ready" > "$file.new" && mv "$file.new" "$file" && known=$ready && sh -c "$reload"
    fi
    sleep 1
done

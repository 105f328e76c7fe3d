#!/usr/bin/env bash
# health.sh PORT PATH: ends with 0 when the path answers 200. The .NET images have no program that speaks HTTP.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
read -r -t 4 _ status _ <&3
[[ "$status" == 200 ]]
